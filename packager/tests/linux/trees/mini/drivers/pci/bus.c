// SPDX-License-Identifier: GPL-2.0
#include <linux/pci.h>
int pci_mini_bus(void);
int pci_mini_bus(void) { return PCI_MINI; }
