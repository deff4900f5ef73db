// SPDX-License-Identifier: GPL-2.0
#include <linux/pci.h>
int pci_mini_msi(void);
int pci_mini_msi(void) { return PCI_MINI; }
