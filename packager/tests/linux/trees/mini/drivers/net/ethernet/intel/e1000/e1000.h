/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _E1000_H
#define _E1000_H
#include <linux/pci.h>
#include "e1000_osdep.h"
int e1000_hw(void);
int e1000_param(void);
#endif
