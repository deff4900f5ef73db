// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/module.h>
int shared_phy(void);
int shared_phy(void) { return 0; }
MODULE_LICENSE("GPL");
