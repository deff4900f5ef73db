/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Output to the log, and formatting into memory: C11 7.21. */
#ifndef L4RE_LIBC_STDIO_H
#define L4RE_LIBC_STDIO_H

#include <stdarg.h>
#include <stddef.h>
#include <l4re_libc/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* There are no files. Both streams are the log of the program. */
typedef struct l4re_libc_file FILE;

extern FILE *const stdout;
extern FILE *const stderr;
#define stdout stdout
#define stderr stderr

#define EOF (-1)

/* Not supported: %n, %a, %ls, %lc, long double, numbered arguments. They end the output with -1
 * and errno EINVAL. */
int printf(const char *L4RE_LIBC_RESTRICT format, ...) L4RE_LIBC_PRINTF(1, 2);
int fprintf(FILE *L4RE_LIBC_RESTRICT stream, const char *L4RE_LIBC_RESTRICT format, ...)
    L4RE_LIBC_PRINTF(2, 3);
int sprintf(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT format, ...)
    L4RE_LIBC_PRINTF(2, 3);
int snprintf(char *L4RE_LIBC_RESTRICT to, size_t size, const char *L4RE_LIBC_RESTRICT format, ...)
    L4RE_LIBC_PRINTF(3, 4);
int vprintf(const char *L4RE_LIBC_RESTRICT format, va_list arguments) L4RE_LIBC_PRINTF(1, 0);
int vfprintf(FILE *L4RE_LIBC_RESTRICT stream, const char *L4RE_LIBC_RESTRICT format,
             va_list arguments) L4RE_LIBC_PRINTF(2, 0);
int vsprintf(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT format,
             va_list arguments) L4RE_LIBC_PRINTF(2, 0);
int vsnprintf(char *L4RE_LIBC_RESTRICT to, size_t size, const char *L4RE_LIBC_RESTRICT format,
              va_list arguments) L4RE_LIBC_PRINTF(3, 0);

int puts(const char *text);
int fputs(const char *L4RE_LIBC_RESTRICT text, FILE *L4RE_LIBC_RESTRICT stream);
int putchar(int character);
int putc(int character, FILE *stream);
int fputc(int character, FILE *stream);
size_t fwrite(const void *L4RE_LIBC_RESTRICT data, size_t size, size_t count,
              FILE *L4RE_LIBC_RESTRICT stream);
int fflush(FILE *stream);
void perror(const char *prefix);

#ifdef __cplusplus
}
#endif

#endif
