// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
int mini_virtio_blk;
MODULE_LICENSE("GPL");
