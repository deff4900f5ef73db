/* SPDX-License-Identifier: GPL-2.0 */
#define E1000_OSDEP 1
