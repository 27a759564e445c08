/* SPDX-License-Identifier: Apache-2.0 */
/* A sequence: ESC or U+009B; any of []()#;? ; then words parted by ; and ended by BEL, or numbers
 * parted by ; and one final character. */
#include "lines/decolorize.h"

#include "base/ascii.h"

static char at_or_nul(struct str_view s, size_t i)
{
    return i < s.len ? s.p[i] : '\0';
}

/* Bytes of the introducer, 0 when there is none. */
static size_t introducer(struct str_view s)
{
    if (at_or_nul(s, 0) == 0x1b)
        return 1;
    return sv_starts_with(s, SV("\xc2\x9b")) ? 2 : 0;
}

/* Words parted by semicolons, then BEL: their end, or 0. */
static size_t title_end(struct str_view s, size_t at)
{
    for (;; at++) {
        while (ascii_is_alnum(at_or_nul(s, at)))
            at++;
        if (at_or_nul(s, at) != ';')
            return at_or_nul(s, at) == 0x07 && at < s.len ? at + 1 : 0;
    }
}

static size_t skip_digits(struct str_view s, size_t at, unsigned max)
{
    for (; max > 0 && ascii_is_digit(at_or_nul(s, at)); max--)
        at++;
    return at;
}

static bool is_final(char c)
{
    return c && (ascii_is_digit(c) || (c >= 'A' && c <= 'P') || (c >= 'f' && c <= 'n') ||
                 strchr("RZcqrty=><~", c));
}

/* 1-4 digits, then groups of ; and up to 4 digits, then the final character.  The digits may give
 * one back to be that character, as a backtracking match would have it. */
static size_t control_end(struct str_view s, size_t start)
{
    size_t at = skip_digits(s, start, 4), last = at;
    while (at > start && at_or_nul(s, last) == ';')
        last = skip_digits(s, last + 1, 4);
    if (is_final(at_or_nul(s, last)))
        return last + 1;
    for (; last > start; last--)
        if (is_final(s.p[last - 1]))
            return last;
    return 0;
}

/* Bytes of the sequence that `s` starts with, 0 for none. */
static size_t sequence(struct str_view s)
{
    size_t begin = introducer(s), at = begin;
    if (begin == 0)
        return 0;
    while (at < s.len && s.p[at] && strchr("[]()#;?", s.p[at]))
        at++;
    size_t end = title_end(s, at);
    if (end == 0)
        end = control_end(s, at);
    return end;
}

static bool may_have_sequence(struct str_view line)
{
    if (sv_find_byte(line, 0x1b) < line.len)
        return true;
    size_t at = sv_find_byte(line, '\xc2'); /* rare, and found faster than the pair */
    return at < line.len && sv_find(sv_from(line, at), SV("\xc2\x9b")) != SIZE_MAX;
}

struct str_view decolorize(struct str_view line, struct arena *scratch)
{
    if (!may_have_sequence(line))
        return line;
    char *out = arena_alloc(scratch, line.len);
    size_t n = 0;
    for (size_t i = 0; i < line.len;) {
        size_t skip = sequence(sv_from(line, i));
        if (skip == 0)
            out[n++] = line.p[i++];
        i += skip;
    }
    return sv(out, n);
}
