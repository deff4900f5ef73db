// SPDX-License-Identifier: MIT
int head(void);
int head(void) { return 86; }
