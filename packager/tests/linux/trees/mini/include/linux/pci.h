/* SPDX-License-Identifier: MIT */
#ifndef _LINUX_PCI_H
#define _LINUX_PCI_H
#include <linux/types.h>
#include <linux/module.h>
#define PCI_MINI 1
#endif
