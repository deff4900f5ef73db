/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the compiler may know of a function. Included by the headers, not by programs. */
#ifndef L4RE_LIBC_ATTRIBUTES_H
#define L4RE_LIBC_ATTRIBUTES_H

#ifdef __GNUC__
#define L4RE_LIBC_NORETURN __attribute__((__noreturn__))
#define L4RE_LIBC_PRINTF(format, first) __attribute__((__format__(__printf__, format, first)))
#else
#define L4RE_LIBC_NORETURN
#define L4RE_LIBC_PRINTF(format, first)
#endif

/* `restrict` is a word of C only. */
#ifdef __cplusplus
#define L4RE_LIBC_RESTRICT
#else
#define L4RE_LIBC_RESTRICT restrict
#endif

#endif
