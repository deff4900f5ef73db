// SPDX-License-Identifier: MIT
int main_loop(void);
int main_loop(void) { return 0; }
