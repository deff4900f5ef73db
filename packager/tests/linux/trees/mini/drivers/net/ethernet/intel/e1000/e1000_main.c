// SPDX-License-Identifier: GPL-2.0
#include "e1000.h"

MODULE_LICENSE("GPL v2");
MODULE_FIRMWARE("mini/e1000.fw");

int e1000_main(void);
int e1000_main(void) { return e1000_hw() + e1000_param() + E1000_OSDEP; }
