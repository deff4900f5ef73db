// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
int mini_libahci;
MODULE_LICENSE("GPL");
