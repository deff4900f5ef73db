/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Assertions: C11 7.2. No include guard: NDEBUG counts at each inclusion. */
#include <l4re_libc/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
    L4RE_LIBC_NORETURN;

#ifdef __cplusplus
}
#endif

#undef assert
#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression) \
    ((expression) ? (void)0 : __assert_fail(#expression, __FILE__, __LINE__, __func__))
#endif

#if !defined(__cplusplus) && !defined(static_assert)
#define static_assert _Static_assert
#endif
