/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str_view.h"

#include "base/ascii.h"

size_t sv_find(struct str_view s, struct str_view needle)
{
    if (needle.len == 1) {
        size_t at = sv_find_byte(s, needle.p[0]);
        return at < s.len ? at : SIZE_MAX;
    }
    if (needle.len == 0)
        return 0;
    const char *hit = s.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str_view sv_trim(struct str_view s)
{
    while (s.len && is_blank(s.p[0]))
        s = sv_from(s, 1);
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool sv_eq_nocase(struct str_view a, struct str_view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

size_t sv_which(struct str_view text, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i < n && !sv_eq(text, sv_of(names[i])))
        i++;
    return i;
}

size_t sv_which_nocase(struct str_view text, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i < n && !sv_eq_nocase(text, sv_of(names[i])))
        i++;
    return i;
}

bool sv_to_u64(struct str_view s, uint64_t *ret)
{
    enum { NEVER_TOO_MUCH = 19 }; /* digits */
    uint64_t v = 0;
    if (s.len == 0)
        return false;
    if (s.len <= NEVER_TOO_MUCH) {
        unsigned worst = 0;
        for (size_t i = 0; i < s.len; i++) {
            unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
            worst |= digit > 9;
            v = v * 10 + digit;
        }
        *ret = worst ? *ret : v;
        return !worst;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool sv_to_i64(struct str_view s, int64_t *ret)
{
    bool negative = s.len && s.p[0] == '-';
    uint64_t v;
    if (!sv_to_u64(sv_from(s, negative), &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}
