// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/module.h>
int mini_virtio_pci_common;
MODULE_LICENSE("GPL");
