// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/module.h>
int mini_virtio_ring;
MODULE_LICENSE("GPL");
