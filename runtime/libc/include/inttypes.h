/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How printf shows the types of stdint.h: C11 7.8. */
#ifndef L4RE_LIBC_INTTYPES_H
#define L4RE_LIBC_INTTYPES_H

#include <stdint.h>
#include <l4re_libc/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__INT64_TYPE__) && __LONG_MAX__ == 0x7fffffffffffffff
/* The 64-bit types are `long`. The fast types are `int` or `long`, as the compiler has chosen. */
#if __INT_FAST16_WIDTH__ == 64
#define L4RE_LIBC_FAST "l"
#else
#define L4RE_LIBC_FAST ""
#endif
#else
#error "l4re-libc knows targets with a 64-bit long only"
#endif

#define PRId8 "hhd"
#define PRIdLEAST8 "hhd"
#define PRId16 "hd"
#define PRIdLEAST16 "hd"
#define PRId32 "d"
#define PRIdLEAST32 "d"
#define PRId64 "ld"
#define PRIdLEAST64 "ld"
#define PRIdFAST8 "hhd"
#define PRIdFAST16 L4RE_LIBC_FAST "d"
#define PRIdFAST32 L4RE_LIBC_FAST "d"
#define PRIdFAST64 "ld"
#define PRIdMAX "jd"
#define PRIdPTR "ld"
#define PRIi8 "hhi"
#define PRIiLEAST8 "hhi"
#define PRIi16 "hi"
#define PRIiLEAST16 "hi"
#define PRIi32 "i"
#define PRIiLEAST32 "i"
#define PRIi64 "li"
#define PRIiLEAST64 "li"
#define PRIiFAST8 "hhi"
#define PRIiFAST16 L4RE_LIBC_FAST "i"
#define PRIiFAST32 L4RE_LIBC_FAST "i"
#define PRIiFAST64 "li"
#define PRIiMAX "ji"
#define PRIiPTR "li"
#define PRIo8 "hho"
#define PRIoLEAST8 "hho"
#define PRIo16 "ho"
#define PRIoLEAST16 "ho"
#define PRIo32 "o"
#define PRIoLEAST32 "o"
#define PRIo64 "lo"
#define PRIoLEAST64 "lo"
#define PRIoFAST8 "hho"
#define PRIoFAST16 L4RE_LIBC_FAST "o"
#define PRIoFAST32 L4RE_LIBC_FAST "o"
#define PRIoFAST64 "lo"
#define PRIoMAX "jo"
#define PRIoPTR "lo"
#define PRIu8 "hhu"
#define PRIuLEAST8 "hhu"
#define PRIu16 "hu"
#define PRIuLEAST16 "hu"
#define PRIu32 "u"
#define PRIuLEAST32 "u"
#define PRIu64 "lu"
#define PRIuLEAST64 "lu"
#define PRIuFAST8 "hhu"
#define PRIuFAST16 L4RE_LIBC_FAST "u"
#define PRIuFAST32 L4RE_LIBC_FAST "u"
#define PRIuFAST64 "lu"
#define PRIuMAX "ju"
#define PRIuPTR "lu"
#define PRIx8 "hhx"
#define PRIxLEAST8 "hhx"
#define PRIx16 "hx"
#define PRIxLEAST16 "hx"
#define PRIx32 "x"
#define PRIxLEAST32 "x"
#define PRIx64 "lx"
#define PRIxLEAST64 "lx"
#define PRIxFAST8 "hhx"
#define PRIxFAST16 L4RE_LIBC_FAST "x"
#define PRIxFAST32 L4RE_LIBC_FAST "x"
#define PRIxFAST64 "lx"
#define PRIxMAX "jx"
#define PRIxPTR "lx"
#define PRIX8 "hhX"
#define PRIXLEAST8 "hhX"
#define PRIX16 "hX"
#define PRIXLEAST16 "hX"
#define PRIX32 "X"
#define PRIXLEAST32 "X"
#define PRIX64 "lX"
#define PRIXLEAST64 "lX"
#define PRIXFAST8 "hhX"
#define PRIXFAST16 L4RE_LIBC_FAST "X"
#define PRIXFAST32 L4RE_LIBC_FAST "X"
#define PRIXFAST64 "lX"
#define PRIXMAX "jX"
#define PRIXPTR "lX"

intmax_t strtoimax(const char *L4RE_LIBC_RESTRICT string, char **L4RE_LIBC_RESTRICT end, int base);
uintmax_t strtoumax(const char *L4RE_LIBC_RESTRICT string, char **L4RE_LIBC_RESTRICT end,
                    int base);

#ifdef __cplusplus
}
#endif

#endif
