// SPDX-License-Identifier: GPL-2.0
#include <linux/pci.h>
int pci_mini_pci_stub(void);
int pci_mini_pci_stub(void) { return PCI_MINI; }
