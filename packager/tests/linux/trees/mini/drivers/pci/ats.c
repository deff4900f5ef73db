// SPDX-License-Identifier: GPL-2.0
#include <linux/pci.h>
int pci_mini_ats(void);
int pci_mini_ats(void) { return PCI_MINI; }
