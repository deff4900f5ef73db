/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Strings without regard to case, and what is left of BSD: POSIX. */
#ifndef L4RE_LIBC_STRINGS_H
#define L4RE_LIBC_STRINGS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

int bcmp(const void *left, const void *right, size_t size);
int ffs(int value);
int strcasecmp(const char *left, const char *right);
int strncasecmp(const char *left, const char *right, size_t limit);

#ifdef __cplusplus
}
#endif

#endif
