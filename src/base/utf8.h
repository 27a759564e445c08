/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - code points from and to UTF-8, strictly: no overlong forms, no surrogates, nothing over
 * U+10FFFF; and the \uXXXX of JSON. */
#pragma once
#include "base/ascii.h"
#include "base/bytes.h"

enum { UTF8_MAX_BYTES = 4, UTF8_REPLACEMENT = 0xfffd };

/* Length of the first code point, or 0 when the bytes do not begin with a valid one. */
static inline size_t utf8_decode(struct str_view s, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.len == 0)
        return 0;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < n)
        return 0;
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
        (n == 4 && (c < 0x10000 || c > 0x10ffff)))
        return 0;
    *ret = c;
    return n;
}

/* Takes the first code point off a text that is not empty; a byte that begins none is U+FFFD. */
static inline uint32_t utf8_next(struct str_view *s)
{
    uint32_t c = UTF8_REPLACEMENT;
    size_t n = utf8_decode(*s, &c);
    *s = sv_from(*s, n ? n : 1);
    return c;
}

/* Writes at most UTF8_MAX_BYTES; what is not a code point becomes U+FFFD.  Returns the length. */
static inline size_t utf8_encode(uint32_t c, char *out)
{
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = UTF8_REPLACEMENT;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n) | c);
    return n;
}

static inline void utf8_put(struct buf *out, uint32_t c)
{
    char bytes[UTF8_MAX_BYTES];
    buf_put_bytes(out, bytes, utf8_encode(c, bytes));
}

/* The four hexadecimal digits that `text` begins with, or -1. */
static inline int32_t utf8_hex4(struct str_view text)
{
    int32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < text.len ? ascii_hex_value(text.p[i]) : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* JSON's XXXX after a `\u`, together with the `\uXXXX` behind it where the two are the halves of
 * one code point.  Returns how many bytes of `text` that is, 0 where it does not begin with four
 * digits. *ret is half of a code point (0xd800 to 0xdfff) where the other half is missing. */
static inline size_t utf8_json_escape(struct str_view text, uint32_t *ret)
{
    int32_t high = utf8_hex4(text), low = -1;
    if (high < 0)
        return 0;
    *ret = (uint32_t)high;
    if (high >= 0xd800 && high < 0xdc00 && sv_starts_with(sv_from(text, 4), SV("\\u")))
        low = utf8_hex4(sv_from(text, 6));
    if (low < 0xdc00 || low > 0xdfff)
        return 4;
    *ret = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    return 10;
}
