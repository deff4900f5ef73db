// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#define CREATE_TRACE_POINTS
#include "e1000e_trace.h"
MODULE_LICENSE("GPL v2");
