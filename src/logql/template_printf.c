/* SPDX-License-Identifier: Apache-2.0 */
/* Go's Sprintf for the verbs that templates use.  A wrong operand prints in place, as in Go:
 * `%!d(string=a)`, `%!d(MISSING)`, `%!(EXTRA int=1)`. */
#include <stdio.h>

#include "base/utf8.h"
#include "logql/template_value.h"
#include "model/labels.h"

enum { MOST_WIDTH = 1000000 }; /* as Go: a wider number is "%!(BADWIDTH)" */

struct spec {
    bool minus, plus, zero, space, sharp;
    int width, precision; /* -1: none */
    uint32_t verb;
};

static size_t runes(struct str_view s)
{
    size_t n = 0;
    while (s.len) {
        uint32_t c;
        size_t step = utf8_decode(s, &c);
        s = sv_from(s, step ? step : 1);
        n++;
    }
    return n;
}

static void pad(struct buf *out, const struct spec *sp, struct str_view text, bool numeric)
{
    size_t n = runes(text), width = sp->width > 0 ? (size_t)sp->width : 0;
    size_t missing = width > n ? width - n : 0;
    if (sp->minus) {
        buf_put(out, text);
        buf_fill(out, ' ', missing);
        return;
    }
    if (sp->zero && missing && numeric && text.len && (text.p[0] == '-' || text.p[0] == '+')) {
        buf_put_u8(out, (uint8_t)text.p[0]);
        text = sv_from(text, 1);
    }
    buf_fill(out, sp->zero ? '0' : ' ', missing);
    buf_put(out, text);
}

static int take_int(struct str_view *s)
{
    int v = -1;
    while (s->len && s->p[0] >= '0' && s->p[0] <= '9') {
        v = (v < 0 ? 0 : v) * 10 + (s->p[0] - '0');
        if (v > MOST_WIDTH)
            v = MOST_WIDTH + 1;
        *s = sv_from(*s, 1);
    }
    return v;
}

static struct spec take_spec(struct str_view *s)
{
    struct spec sp = {.width = -1, .precision = -1};
    for (; s->len; *s = sv_from(*s, 1)) {
        char c = s->p[0];
        if (c == '-')
            sp.minus = true;
        else if (c == '+')
            sp.plus = true;
        else if (c == '0')
            sp.zero = true;
        else if (c == ' ')
            sp.space = true;
        else if (c == '#')
            sp.sharp = true;
        else
            break;
    }
    sp.width = take_int(s);
    if (s->len && s->p[0] == '.') {
        *s = sv_from(*s, 1);
        sp.precision = take_int(s);
        if (sp.precision < 0)
            sp.precision = 0;
    }
    if (sp.minus)
        sp.zero = false;
    size_t n = utf8_decode(*s, &sp.verb);
    if (!n && s->len) {
        n = 1;
        sp.verb = UTF8_REPLACEMENT;
    }
    *s = sv_from(*s, n);
    return sp;
}

/* What "%!d(string=a)" shows between the parentheses. */
static void put_typed(struct buf *out, const struct tvalue *v)
{
    if (v->kind == TK_NIL) {
        buf_put(out, SV("<nil>"));
        return;
    }
    buf_printf(out, "%s=", tv_type_name(v));
    tv_print(out, v);
}

static void put_bad_verb(struct buf *out, uint32_t verb, const struct tvalue *v)
{
    buf_put(out, SV("%!"));
    utf8_put(out, verb);
    buf_put_u8(out, '(');
    put_typed(out, v);
    buf_put_u8(out, ')');
}

static void put_integer(struct buf *text, const struct spec *sp, int64_t i)
{
    uint64_t magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    if (i < 0)
        buf_put_u8(text, '-');
    else if (sp->plus)
        buf_put_u8(text, '+');
    else if (sp->space)
        buf_put_u8(text, ' ');
    switch (sp->verb) {
    case 'x':
        buf_printf(text, sp->sharp ? "0x%llx" : "%llx", (unsigned long long)magnitude);
        break;
    case 'X':
        buf_printf(text, sp->sharp ? "0X%llX" : "%llX", (unsigned long long)magnitude);
        break;
    case 'o':
        buf_printf(text, sp->sharp ? "0%llo" : "%llo", (unsigned long long)magnitude);
        break;
    case 'b':
        for (int bit = magnitude ? 63 - __builtin_clzll(magnitude) : 0; bit >= 0; bit--)
            buf_put_u8(text, (uint8_t)('0' + (magnitude >> bit & 1)));
        break;
    default:
        buf_printf(text, "%llu", (unsigned long long)magnitude);
    }
}

static void put_hex_bytes(struct buf *text, struct str_view s, bool upper)
{
    for (size_t i = 0; i < s.len; i++)
        buf_printf(text, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
}

/* The first `n` runes. */
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

static bool format_string(struct buf *text, const struct spec *sp, struct str_view s)
{
    if (sp->precision >= 0 && sp->verb != 'x' && sp->verb != 'X')
        s = first_runes(s, sp->precision);
    switch (sp->verb) {
    case 's':
    case 'v':
        buf_put(text, s);
        return true;
    case 'q':
        if (sp->sharp && sv_find_byte(s, '`') == s.len)
            buf_printf(text, "`%.*s`", SV_ARG(s));
        else
            go_quote(text, s);
        return true;
    case 'x':
    case 'X':
        put_hex_bytes(text, s, sp->verb == 'X');
        return true;
    default:
        return false;
    }
}

static bool format_number(struct buf *text, const struct spec *sp, const struct tvalue *v)
{
    if (v->kind == TK_FLOAT) {
        char verb = sp->verb == 'v' ? 'g' : (char)sp->verb;
        if (!strchr("eEfFgG", verb) || sp->verb > 127)
            return false;
        if (sp->plus && v->f >= 0)
            buf_put_u8(text, '+');
        tv_put_float(text, v->f, verb == 'F' ? 'f' : verb, sp->precision);
        return true;
    }
    if (sp->verb == 'c') {
        utf8_put(text, v->i < 0 || v->i > 0x10ffff ? UTF8_REPLACEMENT : (uint32_t)v->i);
        return true;
    }
    if (sp->verb == 'q') {
        buf_put_u8(text, '\'');
        utf8_put(text, v->i < 0 || v->i > 0x10ffff ? UTF8_REPLACEMENT : (uint32_t)v->i);
        buf_put_u8(text, '\'');
        return true;
    }
    if (sp->verb == 'U') {
        buf_printf(text, "U+%04llX", (unsigned long long)v->i);
        return true;
    }
    if (!strchr("dvxXob", (int)sp->verb) || sp->verb > 127)
        return false;
    put_integer(text, sp, v->i);
    return true;
}

static void format_value(struct buf *out, const struct spec *sp, const struct tvalue *v)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    bool numeric = v->kind == TK_INT || v->kind == TK_FLOAT, ok = true;
    if (sp->verb == 'T')
        buf_printf(&text, "%s", v->kind == TK_NIL ? "<nil>" : tv_type_name(v));
    else if (numeric)
        ok = format_number(&text, sp, v);
    else if (v->kind == TK_STRING)
        ok = format_string(&text, sp, v->s);
    else if (v->kind == TK_BOOL)
        ok = (sp->verb == 't' || sp->verb == 'v') && (tv_print(&text, v), true);
    else if (v->kind == TK_NIL)
        ok = sp->verb == 'v' && (buf_put(&text, SV("<nil>")), true);
    else
        ok = (sp->verb == 'v' || sp->verb == 's') && (tv_print(&text, v), true);
    if (ok)
        pad(out, sp, buf_view(&text), numeric && sp->verb != 'c' && sp->verb != 'q');
    else if (v->kind == TK_NIL)
        buf_printf(out, "%%!%c(<nil>)", (char)sp->verb);
    else
        put_bad_verb(out, sp->verb, v);
}

int tv_printf(struct buf *out, struct str_view format, const struct tvalue *args, size_t n,
              size_t max_bytes, struct err *err)
{
    size_t base = out->len, used = 0;
    while (format.len) {
        size_t text = sv_find_byte(format, '%');
        buf_put(out, sv_sub(format, 0, text));
        format = sv_from(format, text);
        if (!format.len)
            break;
        format = sv_from(format, 1);
        if (!format.len) {
            buf_put(out, SV("%!(NOVERB)"));
            break;
        }
        struct spec sp = take_spec(&format);
        size_t width = sp.width > 0 ? (size_t)sp.width : 0;
        size_t precision = sp.precision > 0 ? (size_t)sp.precision : 0;
        if (width > MOST_WIDTH || precision > MOST_WIDTH ||
            out->len - base + width + precision > max_bytes)
            return err_set(err, ERR_OVER_BUDGET, "printf: the text would exceed %zu bytes",
                           max_bytes);
        if (sp.verb == '%') {
            buf_put_u8(out, '%');
        } else if (used >= n) {
            buf_put(out, SV("%!"));
            utf8_put(out, sp.verb);
            buf_put(out, SV("(MISSING)"));
        } else {
            format_value(out, &sp, &args[used++]);
        }
        if (out->len - base > max_bytes)
            return err_set(err, ERR_OVER_BUDGET, "printf: the text would exceed %zu bytes",
                           max_bytes);
    }
    if (used < n) {
        buf_put(out, SV("%!(EXTRA "));
        for (size_t i = used; i < n; i++) {
            if (i > used)
                buf_put(out, SV(", "));
            put_typed(out, &args[i]);
        }
        buf_put_u8(out, ')');
    }
    return 0;
}
