// SPDX-License-Identifier: MIT
int toy_debug_header;
