// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/module.h>
int mii(void);
int mii(void) { return 0; }
MODULE_LICENSE("GPL");
