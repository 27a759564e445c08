/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers, characters and texts under one verb of Go's fmt, with its flags, width and
 * precision (fmt_float.c has floats, printf.c the format string).  Nothing is padded past the
 * limit. */
#include "template/fmt.h"

#include "base/go_quote.h"
#include "base/utf8.h"
#include "model/labels.h"

bool fmt_fits(struct fmt_out *out, size_t n)
{
    size_t room = out->text->len < out->limit ? out->limit - out->text->len : 0;
    out->over |= n > room;
    return !out->over;
}

static size_t count_runes(struct str_view s)
{
    size_t n = 0;
    for (; s.len; n++) {
        uint32_t c;
        size_t step = utf8_decode(s, &c);
        s = sv_from(s, step ? step : 1);
    }
    return n;
}

void fmt_pad(struct fmt_out *out, const struct fmt_spec *sp, struct str_view text)
{
    size_t n = sp->has_width && sp->width > 0 ? count_runes(text) : 0;
    size_t missing = (size_t)sp->width > n && sp->has_width ? (size_t)sp->width - n : 0;
    if (missing && !fmt_fits(out, missing))
        return;
    if (!sp->minus)
        buf_fill(out->text, sp->zero ? '0' : ' ', missing);
    buf_put(out->text, text);
    if (sp->minus)
        buf_fill(out->text, ' ', missing);
}

static void pad_with_blanks(struct fmt_out *out, const struct fmt_spec *sp, struct str_view text)
{
    struct fmt_spec plain = *sp;
    plain.zero = false;
    fmt_pad(out, &plain, text);
}

/* ---- whole numbers ---- */

static void put_digits(struct buf *out, uint64_t v, unsigned base, bool upper)
{
    char text[64];
    size_t at = sizeof text;
    do {
        text[--at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        v /= base;
    } while (v);
    buf_put(out, sv(text + at, sizeof text - at));
}

/* Digits at the least: the precision, or the width with the flag 0. */
static size_t wanted_digits(const struct fmt_spec *sp, bool sign)
{
    if (sp->has_precision)
        return (size_t)sp->precision;
    size_t width = sp->has_width && sp->zero ? (size_t)sp->width : 0;
    return width - (width && sign);
}

/* Sign, prefix, zeros, digits. */
static void put_integer(struct fmt_out *out, const struct fmt_spec *sp, uint64_t v, bool negative,
                        unsigned base)
{
    CLEANUP(buf_deinit) struct buf digits = BUF_INIT, text = BUF_INIT;
    bool sign = negative || sp->plus || sp->space;
    size_t wanted = wanted_digits(sp, sign);
    if (sp->has_precision && sp->precision == 0 && v == 0) {
        pad_with_blanks(out, sp, SV_EMPTY);
        return;
    }
    if (!fmt_fits(out, wanted))
        return;
    put_digits(&digits, v, base, sp->verb == 'X');
    size_t zeros = wanted > digits.len ? wanted - digits.len : 0;
    if (sign)
        buf_put_u8(&text, negative ? '-' : sp->plus ? '+' : ' ');
    if (sp->verb == 'O')
        buf_put(&text, SV("0o"));
    if (sp->sharp && base == 8)
        zeros += zeros == 0 && digits.p[0] != '0';
    else if (sp->sharp && base != 10)
        buf_put(&text, base == 2 ? SV("0b") : sp->verb == 'X' ? SV("0X") : SV("0x"));
    buf_fill(&text, '0', zeros);
    buf_put(&text, buf_view(&digits));
    pad_with_blanks(out, sp, buf_view(&text));
}

/* A text in Go's quotes, ASCII only when `ascii`. */
static void put_quoted(struct buf *out, struct str_view s, bool ascii)
{
    CLEANUP(buf_deinit) struct buf quoted = BUF_INIT;
    go_quote(&quoted, s);
    for (struct str_view rest = buf_view(&quoted); rest.len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(rest, &c); /* the quoted form is valid */
        if (ascii && c >= 0x80)
            buf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
        else
            buf_put(out, sv_sub(rest, 0, n));
        rest = sv_from(rest, n);
    }
}

static uint32_t rune_of(uint64_t v)
{
    return v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? UTF8_REPLACEMENT : (uint32_t)v;
}

static void put_quoted_rune(struct buf *out, uint32_t c, bool ascii)
{
    CLEANUP(buf_deinit) struct buf rune = BUF_INIT, quoted = BUF_INIT;
    utf8_put(&rune, c);
    put_quoted(&quoted, buf_view(&rune), ascii);
    struct str_view inside = sv_sub(buf_view(&quoted), 1, quoted.len - 2);
    inside = c == '"' ? SV("\"") : c == '\'' ? SV("\\'") : inside;
    buf_printf(out, "'%.*s'", SV_ARG(inside));
}

/* Whether it stands for itself in a quoted text, or needs a backslash there only. */
static bool is_shown(uint64_t v)
{
    CLEANUP(buf_deinit) struct buf quoted = BUF_INIT;
    if (v != rune_of(v))
        return false;
    put_quoted_rune(&quoted, (uint32_t)v, false);
    return quoted.p[1] != '\\' || v == '\\' || v == '\'';
}

/* U+0041, and with # also its character when it can be shown: U+0041 'A'. */
static void put_unicode(struct fmt_out *out, const struct fmt_spec *sp, uint64_t v)
{
    CLEANUP(buf_deinit) struct buf digits = BUF_INIT, text = BUF_INIT;
    put_digits(&digits, v, 16, true);
    size_t wanted = sp->has_precision && sp->precision > 4 ? (size_t)sp->precision : 4;
    if (!fmt_fits(out, wanted))
        return;
    buf_put(&text, SV("U+"));
    buf_fill(&text, '0', wanted > digits.len ? wanted - digits.len : 0);
    buf_put(&text, buf_view(&digits));
    if (sp->sharp && is_shown(v)) {
        buf_put(&text, SV(" '"));
        utf8_put(&text, (uint32_t)v);
        buf_put_u8(&text, '\'');
    }
    pad_with_blanks(out, sp, buf_view(&text));
}

static bool put_whole(struct fmt_out *out, const struct fmt_spec *sp, uint64_t v, bool negative)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    uint64_t magnitude = negative ? 0 - v : v;
    switch (sp->verb) {
    case 'v':
    case 'd':
        put_integer(out, sp, magnitude, negative, 10);
        return true;
    case 'x':
    case 'X':
        put_integer(out, sp, magnitude, negative, 16);
        return true;
    case 'o':
    case 'O':
        put_integer(out, sp, magnitude, negative, 8);
        return true;
    case 'b':
        put_integer(out, sp, magnitude, negative, 2);
        return true;
    case 'c':
        utf8_put(&text, rune_of(v));
        fmt_pad(out, sp, buf_view(&text));
        return true;
    case 'q':
        put_quoted_rune(&text, rune_of(v), sp->plus);
        fmt_pad(out, sp, buf_view(&text));
        return true;
    case 'U':
        put_unicode(out, sp, v);
        return true;
    default:
        return false;
    }
}

bool fmt_integer(struct fmt_out *out, const struct fmt_spec *sp, int64_t i)
{
    return put_whole(out, sp, (uint64_t)i, i < 0);
}

bool fmt_octet(struct fmt_out *out, const struct fmt_spec *sp, uint8_t i)
{
    struct fmt_spec hex = *sp;
    if (sp->verb == 'v' && sp->sharp_v) {
        hex.sharp = true;
        hex.verb = 'x';
    }
    return put_whole(out, &hex, i, false);
}

/* ---- text ---- */

static struct str_view first_runes(struct str_view s, int n)
{
    struct str_view rest = s;
    for (int i = 0; i < n && rest.len; i++) {
        uint32_t c;
        size_t step = utf8_decode(rest, &c);
        rest = sv_from(rest, step ? step : 1);
    }
    return sv(s.p, s.len - rest.len);
}

static void put_hex_bytes(struct buf *text, const struct fmt_spec *sp, struct str_view s)
{
    bool upper = sp->verb == 'X';
    for (size_t i = 0; i < s.len; i++) {
        if (i && sp->space)
            buf_put_u8(text, ' ');
        if (sp->sharp && (i == 0 || sp->space))
            buf_put(text, upper ? SV("0X") : SV("0x"));
        buf_printf(text, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
    }
}

/* Whether the text can stand between backquotes on one line. */
static bool fits_backquotes(struct str_view s)
{
    enum { BYTE_ORDER_MARK = 0xfeff };
    while (s.len) {
        uint32_t c;
        size_t n = utf8_decode(s, &c);
        if (n == 0 || c == '`' || (c < ' ' && c != '\t') || c == 0x7f || c == BYTE_ORDER_MARK)
            return false;
        s = sv_from(s, n);
    }
    return true;
}

static void put_quoted_text(struct fmt_out *out, const struct fmt_spec *sp, struct str_view s)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    if (sp->sharp && fits_backquotes(s))
        buf_printf(&text, "`%.*s`", SV_ARG(s));
    else
        put_quoted(&text, s, sp->plus);
    fmt_pad(out, sp, buf_view(&text));
}

bool fmt_string(struct fmt_out *out, const struct fmt_spec *sp, struct str_view s)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct str_view cut = sp->has_precision ? first_runes(s, sp->precision) : s;
    switch (sp->verb) {
    case 'v':
        if (sp->sharp_v)
            put_quoted_text(out, sp, cut);
        else
            fmt_pad(out, sp, cut);
        return true;
    case 's':
        fmt_pad(out, sp, cut);
        return true;
    case 'q':
        put_quoted_text(out, sp, cut);
        return true;
    case 'x':
    case 'X':
        put_hex_bytes(&text, sp, sp->has_precision ? sv_sub(s, 0, (size_t)sp->precision) : s);
        fmt_pad(out, sp, buf_view(&text));
        return true;
    default:
        return false;
    }
}
