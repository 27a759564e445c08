/* SPDX-License-Identifier: Apache-2.0 */
#include "base/go_quote.h"

#include <stdio.h>

#include "base/ascii.h"
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

/* How many digits of which base follow the first `*ret_skip` bytes of an escape; 0 for none. */
static unsigned numeric_escape(char c, unsigned *ret_base, unsigned *ret_skip)
{
    *ret_base = 16;
    *ret_skip = 1;
    switch (c) {
    case 'x':
        return 2;
    case 'u':
        return 4;
    case 'U':
        return 8;
    default:
        *ret_base = 8;
        *ret_skip = 0;
        return ascii_is_octal(c) ? 3 : 0;
    }
}

/* \x and octal name bytes, \u and \U code points. */
static size_t put_code(char kind, uint32_t code, char out[GO_ESCAPE_BYTES])
{
    if (kind != 'u' && kind != 'U') {
        out[0] = (char)code;
        return code <= 0xff;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return utf8_encode(code, out);
}

size_t go_unescape(struct str_view text, char quote, char out[GO_ESCAPE_BYTES], size_t *ret_n)
{
    static const char NAMES[] = "abfnrtv\\", MEANT[] = "\a\b\f\n\r\t\v\\";
    if (text.len == 0)
        return 0;
    char kind = text.p[0];
    const char *hit = kind ? strchr(NAMES, kind) : NULL;
    if (hit || kind == quote) {
        out[0] = hit ? MEANT[hit - NAMES] : quote;
        *ret_n = 1;
        return 1;
    }
    unsigned base, skip, n = numeric_escape(kind, &base, &skip);
    if (n == 0 || text.len < skip + n)
        return 0;
    uint32_t code = 0;
    for (unsigned i = skip; i < skip + n; i++) {
        int d = ascii_digit_value(text.p[i], base);
        if (d < 0)
            return 0;
        code = code * base + (uint32_t)d;
    }
    *ret_n = put_code(kind, code, out);
    return skip + n;
}
