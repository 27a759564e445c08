/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/unicode.h"

#include "base/ascii.h"
#include "base/utf8.h"

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

unsigned rune_decode(const char *p, size_t len, uint32_t *ret_rune)
{
    size_t width = utf8_decode(sv(p, len), ret_rune);
    if (width == 0)
        *ret_rune = RUNE_BAD;
    return width > 0 ? (unsigned)width : len > 0;
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

bool unicode_is_word(uint32_t rune)
{
    if (rune < 0x80)
        return ascii_is_word((int)rune);
    return unicode_in(rune, SV("L")) || unicode_in(rune, SV("Nd"));
}
