/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The C part: one case a function of the C library, on the target, with its calling convention. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int part_run(char *why, size_t size);
void part_end(const char *how);
int part_errno(int number);
/* In Rust. */
int part_add(int left, int right);

/* Where a case says what it has found. */
static char *reason;
static size_t reason_size;
static int cases;

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            snprintf(reason, reason_size, "%s:%d: %s", __func__, __LINE__, #condition);   \
            return false;                                                                 \
        }                                                                                 \
    } while (0)

static bool formats(void)
{
    char text[128];
    /* More arguments of both classes than there are registers for them. */
    int length = snprintf(text, sizeof text, "%d %u %x %c %s %ld %zu %p|%.1f %.2e %g|%d %f %f %f %f %f %f", -1,
                          2U, 0xabcU, 'd', "five", LONG_MIN, sizeof text, (void *)16, 1.25, 12345.678, 0.0001,
                          9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
    CHECK(strcmp(text, "-1 2 abc d five -9223372036854775808 128 0x10|1.2 1.23e+04 0.0001|9 1.000000 "
                       "2.000000 3.000000 4.000000 5.000000 6.000000") == 0);
    CHECK(length == (int)strlen(text));
    CHECK(snprintf(text, 5, "%s", "truncated") == 9 && strcmp(text, "trun") == 0);
    CHECK(snprintf(NULL, 0, "%*d", 20, 5) == 20);
    CHECK(sprintf(text, "%-5d|%05d|%+d", 42, -42, 42) == 15 && strcmp(text, "42   |-0042|+42") == 0);
    return true;
}

static bool formats_inttypes(void)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRIu64 " %" PRIx32 " %" PRId8 " %" PRIdFAST16, UINT64_MAX,
             UINT32_C(0xdeadbeef), (int8_t)-3, (int_fast16_t)-4);
    CHECK(strcmp(text, "18446744073709551615 deadbeef -3 -4") == 0);
    return true;
}

__attribute__((__format__(__printf__, 3, 4))) static int through_va_list(char *to, size_t size,
                                                                         const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int first = vsnprintf(NULL, 0, format, arguments);
    int second = vsnprintf(to, size, format, again);
    va_end(again);
    va_end(arguments);
    return first == second ? first : -2;
}

static bool formats_va_list(void)
{
    char text[64];
    CHECK(through_va_list(text, sizeof text, "%d %d %d %d %d %d %d %.1f", 1, 2, 3, 4, 5, 6, 7, 0.5) == 17);
    CHECK(strcmp(text, "1 2 3 4 5 6 7 0.5") == 0);
    return true;
}

static bool prints(void)
{
    CHECK(printf("printf: %d of %d, %.3f\n", 1, 2, 3.14159) == 22);
    CHECK(fprintf(stderr, "fprintf: %s\n", "stderr") == 16);
    CHECK(puts("puts") >= 0);
    CHECK(fputs("fputs", stdout) >= 0);
    CHECK(putchar('\n') == '\n');
    CHECK(fflush(stdout) == 0);
    return true;
}

static bool allocates(void)
{
    enum { COUNT = 64 };
    char *blocks[COUNT];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < COUNT; i++) {
            size_t size = (size_t)(i * 37 + round) % 500;
            blocks[i] = malloc(size);
            CHECK(blocks[i] != NULL && (uintptr_t)blocks[i] % 16 == 0);
            memset(blocks[i], i, size);
        }
        for (int i = 0; i < COUNT; i++) {
            size_t size = (size_t)(i * 37 + round) % 500;
            blocks[i] = realloc(blocks[i], size + 300);
            CHECK(blocks[i] != NULL);
            for (size_t at = 0; at < size; at++) {
                CHECK(blocks[i][at] == (char)i);
            }
            free(blocks[i]);
        }
    }
    int *zeros = calloc(100, sizeof *zeros);
    CHECK(zeros != NULL);
    for (int i = 0; i < 100; i++) {
        CHECK(zeros[i] == 0);
    }
    free(zeros);
    void *page = NULL;
    CHECK(posix_memalign(&page, 4096, 100) == 0 && (uintptr_t)page % 4096 == 0);
    free(page);
    return true;
}

static bool refuses_memory_that_is_not_there(void)
{
    /* Volatile, so that the compiler cannot know. */
    volatile size_t huge = SIZE_MAX, large = (size_t)1 << 40;
    errno = 0;
    CHECK(malloc(huge) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(malloc(large) == NULL && errno == ENOMEM);
    CHECK(calloc(huge, 2) == NULL);
    return true;
}

static bool handles_strings(void)
{
    char text[32] = "one", *place, *copy;
    CHECK(strlcat(text, ",two,three", sizeof text) == 13);
    CHECK(strcmp(strtok_r(text, ",", &place), "one") == 0);
    CHECK(strcmp(strtok_r(NULL, ",", &place), "two") == 0);
    CHECK(strcmp(strtok_r(NULL, ",", &place), "three") == 0);
    CHECK(strtok_r(NULL, ",", &place) == NULL);
    copy = strdup("a copy");
    CHECK(copy != NULL && strcmp(copy, "a copy") == 0);
    free(copy);
    CHECK(strstr("haystack with needle", "needle") != NULL);
    CHECK(strcasecmp("HeLLo", "hEllO") == 0 && toupper('q') == 'Q');
    memmove(text + 1, text, 8);
    CHECK(memcmp(text, "oone", 4) == 0 && memchr(text, 'n', 8) == text + 2);
    return true;
}

static bool parses_numbers(void)
{
    char *end;
    CHECK(strtol("  -42 rest", &end, 0) == -42 && strcmp(end, " rest") == 0);
    CHECK(strtoul("0xffz", &end, 0) == 255 && *end == 'z');
    errno = 0;
    CHECK(strtol("9223372036854775808", &end, 10) == LONG_MAX && errno == ERANGE);
    CHECK(atoi("17") == 17 && div(7, 2).rem == 1 && ldiv(-7, 2).quot == -3 && lldiv(9, 4).rem == 1);
    return true;
}

static int descending(const void *left, const void *right)
{
    const int *a = left, *b = right;
    return (*a < *b) - (*a > *b);
}

static bool sorts(void)
{
    int values[100];
    for (int i = 0; i < 100; i++) {
        values[i] = (i * 71) % 100;
    }
    qsort(values, 100, sizeof values[0], descending);
    for (int i = 0; i < 100; i++) {
        CHECK(values[i] == 99 - i);
    }
    int key = 30, *found = bsearch(&key, values, 100, sizeof values[0], descending);
    CHECK(found == &values[69]);
    return true;
}

static bool computes(void)
{
    /* Volatile, so that the library computes and not the compiler. */
    volatile double two = 2.0, negative = -2.5;
    CHECK(fabs(sqrt(two) - 1.4142135623730951) < 1e-15);
    CHECK(floor(negative) == -3.0 && ceil(negative) == -2.0 && trunc(negative) == -2.0);
    CHECK(round(negative) == -3.0 && rint(negative) == -2.0 && lround(negative) == -3);
    CHECK(fmod(negative, two) == -0.5 && pow(two, 10.0) == 1024.0 && isnan(sqrt(negative)));
    CHECK(fabs(sin(two) - 0.9092974268256817) < 1e-15 && fabsf(sinf(2.0F) - 0.9092974F) < 1e-6F);
    return true;
}

static bool calls_rust(void)
{
    CHECK(part_add(40, 2) == 42);
    return true;
}

int part_run(char *why, size_t size)
{
    static bool (*const all[])(void) = {
        formats, formats_inttypes, formats_va_list, prints, allocates, refuses_memory_that_is_not_there,
        handles_strings, parses_numbers, sorts, computes, calls_rust,
    };
    reason = why;
    reason_size = size;
    for (cases = 0; cases < (int)(sizeof all / sizeof all[0]); cases++) {
        if (!all[cases]()) {
            return -1;
        }
    }
    return cases;
}

void part_end(const char *how)
{
    printf("ending by %s, with a line that is not ended", how);
    assert(strcmp(how, "assert") != 0);
    if (strcmp(how, "abort") == 0) {
        abort();
    }
    if (strcmp(how, "exit") == 0) {
        exit(7);
    }
}

int part_errno(int number)
{
    if (number != 0) {
        errno = number;
    }
    return errno;
}
