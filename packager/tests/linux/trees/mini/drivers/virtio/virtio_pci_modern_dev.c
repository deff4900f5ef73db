// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/module.h>
int mini_virtio_pci_modern_dev;
MODULE_LICENSE("GPL");
