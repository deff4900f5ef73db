// SPDX-License-Identifier: GPL-2.0
#include "private.h"
int toybus_lib;
