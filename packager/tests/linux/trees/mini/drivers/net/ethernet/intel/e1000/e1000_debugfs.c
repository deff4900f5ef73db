// SPDX-License-Identifier: GPL-2.0
#include "e1000.h"
#ifndef CONFIG_E1000_DEBUGFS
#error "only with E1000_DEBUGFS"
#endif
