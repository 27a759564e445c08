/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/unicode.h"

const struct unicode_table *unicode_find(struct str_view name)
{
    size_t lo = 0, hi = n_unicode_tables;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = sv_cmp(sv_of(unicode_tables[mid].name), name);
        if (c == 0)
            return &unicode_tables[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

size_t unicode_fold_from(uint32_t r)
{
    size_t lo = 0, hi = n_unicode_folds;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (unicode_folds[mid].rune < r)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t unicode_fold_next(uint32_t r)
{
    size_t at = unicode_fold_from(r);
    return at < n_unicode_folds && unicode_folds[at].rune == r ? unicode_folds[at].next : r;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

unsigned rune_decode(const char *text, size_t len, uint32_t *ret_rune)
{
    const unsigned char *p = (const unsigned char *)text;
    *ret_rune = RUNE_BAD;
    if (len == 0)
        return 0;
    if (p[0] < 0x80) {
        *ret_rune = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] < 0xe0) {
        if (len < 2 || !is_tail(p[1]))
            return 1;
        *ret_rune = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
        return 2;
    }
    if (p[0] >= 0xe0 && p[0] < 0xf0) {
        if (len < 3 || !is_tail(p[1]) || !is_tail(p[2]))
            return 1;
        uint32_t r = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        if (r < 0x800 || (r >= 0xd800 && r < 0xe000))
            return 1;
        *ret_rune = r;
        return 3;
    }
    if (p[0] >= 0xf0 && p[0] < 0xf5) {
        if (len < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
            return 1;
        uint32_t r =
            (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
        if (r < 0x10000 || r > RUNE_MAX)
            return 1;
        *ret_rune = r;
        return 4;
    }
    return 1;
}

unsigned rune_decode_last(const char *p, size_t len, uint32_t *ret_rune)
{
    *ret_rune = RUNE_BAD;
    if (len == 0)
        return 0;
    for (size_t back = 1; back <= 4 && back <= len; back++) {
        const char *start = p + len - back;
        if (is_tail((unsigned char)*start))
            continue;
        uint32_t r;
        unsigned width = rune_decode(start, back, &r);
        if (width != back)
            break;
        *ret_rune = r;
        return width;
    }
    return 1;
}

unsigned rune_encode(uint32_t r, char *to)
{
    if (r < 0x80) {
        to[0] = (char)r;
        return 1;
    }
    if (r < 0x800) {
        to[0] = (char)(0xc0 | r >> 6);
        to[1] = (char)(0x80 | (r & 0x3f));
        return 2;
    }
    if (r < 0x10000) {
        to[0] = (char)(0xe0 | r >> 12);
        to[1] = (char)(0x80 | (r >> 6 & 0x3f));
        to[2] = (char)(0x80 | (r & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | r >> 18);
    to[1] = (char)(0x80 | (r >> 12 & 0x3f));
    to[2] = (char)(0x80 | (r >> 6 & 0x3f));
    to[3] = (char)(0x80 | (r & 0x3f));
    return 4;
}

bool unicode_in(uint32_t rune, struct str_view name)
{
    const struct unicode_table *t = unicode_find(name);
    size_t lo = 0, hi = t ? t->n : 0;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (rune > t->ranges[mid].hi)
            lo = mid + 1;
        else if (rune < t->ranges[mid].lo)
            hi = mid;
        else
            return true;
    }
    return false;
}
