// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/module.h>
int mini_virtio_input;
MODULE_LICENSE("GPL");
