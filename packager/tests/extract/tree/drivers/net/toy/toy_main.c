// SPDX-License-Identifier: MIT
#include "toy.h"
#include <linux/module.h>
#include "../../bus/private.h"
#include "regs.h"
#define CREATE_TRACE_POINTS
#include "trace.h"
#define FW "toy/" NAME ".fw"
#define NAME "one"
MODULE_LICENSE("Dual MIT/GPL");
MODULE_FIRMWARE(FW);
const char toy_main[] = MAIN;
