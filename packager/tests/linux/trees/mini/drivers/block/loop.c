// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
int mini_loop;
MODULE_LICENSE("GPL");
