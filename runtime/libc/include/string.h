/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Strings and memory blocks: C11 7.24, with what POSIX adds. */
#ifndef L4RE_LIBC_STRING_H
#define L4RE_LIBC_STRING_H

#include <stddef.h>
#include <l4re_libc/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *L4RE_LIBC_RESTRICT to, const void *L4RE_LIBC_RESTRICT from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memchr(const void *memory, int byte, size_t size);

size_t strlen(const char *string);
size_t strnlen(const char *string, size_t limit);

int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t limit);
int strcoll(const char *left, const char *right);

char *strcpy(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from);
char *stpcpy(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from);
char *strncpy(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from, size_t size);
size_t strlcpy(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from, size_t size);
char *strcat(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from);
char *strncat(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from, size_t limit);
size_t strlcat(char *L4RE_LIBC_RESTRICT to, const char *L4RE_LIBC_RESTRICT from, size_t size);
char *strdup(const char *string);
char *strndup(const char *string, size_t limit);

char *strchr(const char *string, int character);
char *strrchr(const char *string, int character);
char *strstr(const char *string, const char *wanted);
size_t strspn(const char *string, const char *set);
size_t strcspn(const char *string, const char *set);
char *strpbrk(const char *string, const char *set);
/* There is no strtok: it keeps its place in memory that all threads share. */
char *strtok_r(char *L4RE_LIBC_RESTRICT string, const char *L4RE_LIBC_RESTRICT separators,
               char **L4RE_LIBC_RESTRICT place);

char *strerror(int number);

#ifdef __cplusplus
}
#endif

#endif
