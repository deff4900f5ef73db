// SPDX-License-Identifier: GPL-2.0
int mini_mem;
