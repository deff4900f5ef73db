// SPDX-License-Identifier: GPL-2.0
#include <linux/pci.h>
int pci_mini_access(void);
int pci_mini_access(void) { return PCI_MINI; }
