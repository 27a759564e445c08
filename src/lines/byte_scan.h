/* SPDX-License-Identifier: Apache-2.0 */
/* byte_scan.h - the next byte that matters, sixteen bytes at a look.  Reads nothing outside the
 * text: its last bytes are looked at one by one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ascii.h"
#include "base/str_view.h"

#ifdef __SSE2__
#include <emmintrin.h>

static inline unsigned scan_mask_(__m128i hits)
{
    return (unsigned)_mm_movemask_epi8(hits);
}
#define SCAN_IS_(v, c) _mm_cmpeq_epi8(v, _mm_set1_epi8(c))
#endif

/* What a scan passed on its way. */
enum scan_seen {
    SEEN_ESCAPE = 1, /* a backslash */
    SEEN_HIGH = 2,   /* a byte that is not ASCII */
};

#ifdef __SSE2__
/* Bytes of a name: letters, digits, _. */
static inline unsigned scan_name_mask_(__m128i v)
{
    __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
    /* signed compares: bytes from 0x80 on are negative and fit nowhere */
    __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                   _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
    __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)),
                                  _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
    return scan_mask_(_mm_or_si128(_mm_or_si128(letter, digit), SCAN_IS_(v, '_')));
}
#endif

/* The length of the name of 1 to 15 bytes [A-Za-z_][A-Za-z0-9_]* that starts at `at` and ends at a
 * quote with one more byte behind it; 0 where it is not seen at one look that there is one. */
static inline size_t scan_short_name(struct str_view text, size_t at)
{
#ifdef __SSE2__
    if (text.len - at >= 17) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        unsigned quotes = scan_mask_(SCAN_IS_(v, '"'));
        unsigned others = ~scan_name_mask_(v), first = others & (0u - others);
        char c = text.p[at];
        /* the first byte that fits no name is the quote */
        if ((first & quotes) && !ascii_is_digit(c))
            return (size_t)__builtin_ctz(first);
    }
#endif
    return 0;
}

/* The length of the string whose first byte is at `at` when it is plain: ASCII without escapes up
 * to its quote.  SIZE_MAX where that is not so, or near the end of the text. */
static inline size_t scan_plain_string(struct str_view text, size_t at)
{
#ifdef __SSE2__
    for (size_t from = at; text.len - at >= 32; at += 32) {
        const __m128i *p = (const __m128i *)(const void *)(text.p + at);
        __m128i v = _mm_loadu_si128(p), w = _mm_loadu_si128(p + 1);
        /* high bytes count as stops by their own top bit */
        unsigned stops =
            scan_mask_(_mm_or_si128(_mm_or_si128(SCAN_IS_(v, '"'), v), SCAN_IS_(v, '\\'))) |
            scan_mask_(_mm_or_si128(_mm_or_si128(SCAN_IS_(w, '"'), w), SCAN_IS_(w, '\\'))) << 16;
        if (stops == 0)
            continue;
        at += (unsigned)__builtin_ctz(stops);
        return text.p[at] == '"' ? at - from : SIZE_MAX;
    }
#endif
    return SIZE_MAX;
}

/* The length of the number at `at`, up to a comma or brace: a digit or -, then digits, signs,
 * points and slashes; 0 where it is not seen at one look that there is one. */
static inline size_t scan_short_number(struct str_view text, size_t at)
{
#ifdef __SSE2__
    if (text.len - at >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        __m128i from_plus = _mm_sub_epi8(v, _mm_set1_epi8('+'));
        __m128i in_range =
            _mm_cmpeq_epi8(_mm_min_epu8(from_plus, _mm_set1_epi8('9' - '+')), from_plus);
        unsigned stops = ~scan_mask_(_mm_andnot_si128(SCAN_IS_(v, ','), in_range));
        size_t n = (size_t)__builtin_ctz(stops);
        char first = text.p[at];
        if (n < 16 && (first == '-' || ascii_is_digit(first)) &&
            (text.p[at + n] == ',' || text.p[at + n] == '}'))
            return n;
    }
#endif
    return 0;
}

/* Offset of the quote that ends the string whose first byte is at `at`, or SIZE_MAX; a backslash
 * hides the byte after it. */
static inline size_t scan_string_end(struct str_view text, size_t at, unsigned *ret_seen)
{
    unsigned seen = 0;
    *ret_seen = 0;
    while (at < text.len) {
#ifdef __SSE2__
        if (text.len - at >= 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
            unsigned stops = scan_mask_(_mm_or_si128(SCAN_IS_(v, '"'), SCAN_IS_(v, '\\')));
            unsigned high = scan_mask_(v);
            if (stops == 0) {
                seen |= high ? SEEN_HIGH : 0;
                at += 16;
                continue;
            }
            unsigned n = (unsigned)__builtin_ctz(stops);
            seen |= high & ((1u << n) - 1) ? SEEN_HIGH : 0;
            at += n;
        }
#endif
        char c = text.p[at];
        if (c == '"') {
            *ret_seen = seen;
            return at;
        }
        if (c == '\\') {
            seen |= SEEN_ESCAPE | SEEN_HIGH; /* what it hides is not looked at */
            at++;
        }
        seen |= c & 0x80 ? SEEN_HIGH : 0;
        at++;
    }
    return SIZE_MAX;
}

/* Offset of the first byte at or after `at` that is a quote, `a` or `b`, or the length. */
static inline size_t scan_to_quote_or(struct str_view text, size_t at, char a, char b)
{
#ifdef __SSE2__
    for (; text.len - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        unsigned hits = scan_mask_(
            _mm_or_si128(_mm_or_si128(SCAN_IS_(v, a), SCAN_IS_(v, b)), SCAN_IS_(v, '"')));
        if (hits)
            return at + (unsigned)__builtin_ctz(hits);
    }
#endif
    while (at < text.len && text.p[at] != '"' && text.p[at] != a && text.p[at] != b)
        at++;
    return at;
}

/* Offset of the first byte at or after `at` that is a blank or control character, = or ", or the
 * length. */
static inline size_t scan_logfmt_word(struct str_view text, size_t at, bool *ret_high)
{
    bool high = false;
#ifdef __SSE2__
    for (; text.len - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(' ')), v);
        unsigned hits =
            scan_mask_(_mm_or_si128(_mm_or_si128(SCAN_IS_(v, '='), SCAN_IS_(v, '"')), low));
        unsigned not_ascii = scan_mask_(v);
        if (hits) {
            unsigned n = (unsigned)__builtin_ctz(hits);
            *ret_high = high || (not_ascii & ((1u << n) - 1));
            return at + n;
        }
        high |= not_ascii != 0;
    }
#endif
    for (; at < text.len; at++) {
        unsigned char c = (unsigned char)text.p[at];
        if (c <= ' ' || c == '=' || c == '"')
            break;
        high |= c >= 0x80;
    }
    *ret_high = high;
    return at;
}

/* Whether only letters, digits and _ stand in text[from, to), and no digit first. */
static inline bool scan_is_name(struct str_view text, size_t from, size_t to)
{
    size_t at = from;
    if (from == to || ascii_is_digit(text.p[from]))
        return false;
#ifdef __SSE2__
    for (; at < to && text.len - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        unsigned bad = ~scan_name_mask_(v) & 0xffff;
        if (to - at < 16)
            bad &= (1u << (to - at)) - 1;
        if (bad)
            return false;
    }
#endif
    for (; at < to; at++) {
        if (!ascii_is_word(text.p[at]))
            return false;
    }
    return true;
}
