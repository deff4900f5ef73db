// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
int mini_chip_core;
MODULE_LICENSE("GPL");
