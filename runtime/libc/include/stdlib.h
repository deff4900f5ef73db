/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Allocation, numbers, sorting, the end of the program: C11 7.22. */
#ifndef L4RE_LIBC_STDLIB_H
#define L4RE_LIBC_STDLIB_H

#include <stddef.h>
#include <l4re_libc/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

typedef struct {
    int quot;
    int rem;
} div_t;

typedef struct {
    long quot;
    long rem;
} ldiv_t;

typedef struct {
    long long quot;
    long long rem;
} lldiv_t;

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
/* A size of 0 gives a block of that size; it does not free. */
void *realloc(void *block, size_t size);
void *reallocarray(void *block, size_t count, size_t size);
void free(void *block);
void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **block, size_t align, size_t size);

int atoi(const char *string);
long atol(const char *string);
long long atoll(const char *string);
long strtol(const char *L4RE_LIBC_RESTRICT string, char **L4RE_LIBC_RESTRICT end, int base);
long long strtoll(const char *L4RE_LIBC_RESTRICT string, char **L4RE_LIBC_RESTRICT end, int base);
unsigned long strtoul(const char *L4RE_LIBC_RESTRICT string, char **L4RE_LIBC_RESTRICT end,
                      int base);
unsigned long long strtoull(const char *L4RE_LIBC_RESTRICT string, char **L4RE_LIBC_RESTRICT end,
                            int base);

int abs(int value);
long labs(long value);
long long llabs(long long value);
div_t div(int dividend, int divisor);
ldiv_t ldiv(long dividend, long divisor);
lldiv_t lldiv(long long dividend, long long divisor);

void qsort(void *start, size_t count, size_t size,
           int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *start, size_t count, size_t size,
              int (*compare)(const void *, const void *));

void abort(void) L4RE_LIBC_NORETURN;
void exit(int status) L4RE_LIBC_NORETURN;
void _Exit(int status) L4RE_LIBC_NORETURN;
void _exit(int status) L4RE_LIBC_NORETURN;

#ifdef __cplusplus
}
#endif

#endif
