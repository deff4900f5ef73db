// SPDX-License-Identifier: GPL-2.0
#include <linux/types.h>
u32 e1000e_phy;
