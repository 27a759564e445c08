/* SPDX-License-Identifier: Apache-2.0 */
#include "base/go_quote.h"

#include <stdio.h>

#include "base/printable.h"
#include "base/utf8.h"

static bool is_printable(uint32_t c)
{
    if (c < 0x80)
        return c >= ' ' && c < 0x7f;
    size_t lo = 0, hi = sizeof printable_ranges / sizeof printable_ranges[0];
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > printable_ranges[mid][1])
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < sizeof printable_ranges / sizeof printable_ranges[0] &&
           c >= printable_ranges[lo][0];
}

static const char *short_escape(uint32_t c)
{
    switch (c) {
    case '\a':
        return "\\a";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\v':
        return "\\v";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

static void put_rune(struct buf *out, uint32_t c, struct str_view bytes)
{
    const char *escape = short_escape(c);
    if (escape)
        buf_put(out, sv_of(escape));
    else if (is_printable(c))
        buf_put(out, bytes);
    else if (c < 0x80)
        buf_printf(out, "\\x%02x", c);
    else if (c < 0x10000)
        buf_printf(out, "\\u%04x", c);
    else
        buf_printf(out, "\\U%08x", c);
}

void go_quote(struct buf *out, struct str_view text)
{
    buf_reserve(out, text.len + 2);
    buf_put_u8(out, '"');
    for (size_t at = 0; at < text.len;) {
        size_t plain = at;
        while (plain < text.len && (unsigned char)text.p[plain] >= ' ' &&
               (unsigned char)text.p[plain] < 0x7f && text.p[plain] != '"' && text.p[plain] != '\\')
            plain++;
        buf_put(out, sv_sub(text, at, plain - at));
        at = plain;
        if (at == text.len)
            break;
        uint32_t c;
        size_t n = utf8_decode(sv_from(text, at), &c);
        if (n == 0) {
            buf_printf(out, "\\x%02x", (unsigned char)text.p[at]);
            n = 1;
        } else {
            put_rune(out, c, sv_sub(text, at, n));
        }
        at += n;
    }
    buf_put_u8(out, '"');
}
