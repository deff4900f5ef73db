// SPDX-License-Identifier: GPL-2.0
#include "e1000.h"
int e1000_param(void) { return 2; }
