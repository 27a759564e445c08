/* SPDX-License-Identifier: Apache-2.0 */
/* str_view.h - a borrowed run of bytes: pointer and length, any bytes, no NUL needed.
 * Passed by value.  Never owns; the text it looks at must outlive it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str_view {
    const char *p;
    size_t len;
};

#define SV(literal) ((struct str_view){"" literal, sizeof(literal) - 1})
#define SV_EMPTY ((struct str_view){"", 0})
/* For printf: printf("%.*s", SV_ARG(v)); views over 2 GiB print nothing useful. */
#define SV_ARG(v) ((int)(v).len), ((v).p)

static inline struct str_view sv(const char *p, size_t len)
{
    return (struct str_view){p, len};
}

static inline struct str_view sv_of(const char *cstr)
{
    return (struct str_view){cstr, strlen(cstr)};
}

static inline bool sv_eq(struct str_view a, struct str_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Bytewise order, shorter first where one is a prefix of the other: < 0, 0, > 0. */
static inline int sv_cmp(struct str_view a, struct str_view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool sv_starts_with(struct str_view s, struct str_view prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

static inline bool sv_ends_with(struct str_view s, struct str_view suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* From `at` (cut to the length) to the end. */
static inline struct str_view sv_from(struct str_view s, size_t at)
{
    if (at > s.len)
        at = s.len;
    return (struct str_view){s.p + at, s.len - at};
}

/* At most `len` bytes from `at`. */
static inline struct str_view sv_sub(struct str_view s, size_t at, size_t len)
{
    s = sv_from(s, at);
    if (len < s.len)
        s.len = len;
    return s;
}

/* Index of the first `c`, or s.len. */
static inline size_t sv_find_byte(struct str_view s, char c)
{
    const char *hit = s.len ? memchr(s.p, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.p) : s.len;
}

/* Index of the first `needle`, or SIZE_MAX; the empty needle is found at 0. */
size_t sv_find(struct str_view s, struct str_view needle);
/* Strips ' ', \t, \n, \v, \f, \r at both ends. */
struct str_view sv_trim(struct str_view s);
/* ASCII letters compare without case. */
bool sv_eq_nocase(struct str_view a, struct str_view b);
/* Where `text` stands in a list of names, n where it does not. */
size_t sv_which(struct str_view text, const char *const *names, size_t n);
size_t sv_which_nocase(struct str_view text, const char *const *names, size_t n);
/* Decimal, whole view, no sign, no blanks; false on anything else or overflow. */
bool sv_to_u64(struct str_view s, uint64_t *ret);
/* As sv_to_u64 with an optional '-'. */
bool sv_to_i64(struct str_view s, int64_t *ret);
