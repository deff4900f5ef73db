// SPDX-License-Identifier: MIT
#include "regs.h"
#include "../toy.h"
#ifdef CONFIG_TOY_DEBUG
#include "debug.h"
#endif
