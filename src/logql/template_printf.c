/* SPDX-License-Identifier: Apache-2.0 */
/* Go's Sprintf for the verbs that templates use.  A wrong operand prints in place, as in Go:
 * `%!d(string=a)`, `%!d(MISSING)`, `%!(EXTRA int=1)`; lists and maps format their elements. */
#include <math.h>
#include <stdio.h>

#include "base/utf8.h"
#include "logql/template_value.h"
#include "model/labels.h"

enum { MOST_WIDTH = 1000000 };

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

static void pad(struct buf *out, const struct spec *sp, struct str_view text)
{
    size_t n = runes(text), width = sp->width > 0 ? (size_t)sp->width : 0;
    size_t missing = width > n ? width - n : 0;
    if (sp->minus) {
        buf_put(out, text);
        buf_fill(out, ' ', missing);
        return;
    }
    buf_fill(out, sp->zero ? '0' : ' ', missing);
    buf_put(out, text);
}

/* Zeros stand between the sign and the digits. */
static void pad_number(struct buf *out, const struct spec *sp, struct str_view text)
{
    if (sp->zero && sp->width > 0 && text.len && (text.p[0] == '-' || text.p[0] == '+')) {
        struct spec rest = *sp;
        rest.width--;
        buf_put_u8(out, (uint8_t)text.p[0]);
        pad(out, &rest, sv_from(text, 1));
        return;
    }
    pad(out, sp, text);
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
    sp.zero &= !sp.minus;
    sp.width = take_int(s);
    if (s->len && s->p[0] == '.') {
        *s = sv_from(*s, 1);
        sp.precision = take_int(s);
        if (sp.precision < 0)
            sp.precision = 0;
    }
    size_t n = utf8_decode(*s, &sp.verb);
    if (!n && s->len) {
        n = 1;
        sp.verb = UTF8_REPLACEMENT;
    }
    *s = sv_from(*s, n);
    sp.plus &= sp.verb != 'v'; /* %+v asks for the names of fields, not for a sign */
    return sp;
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

/* Sign, prefix, zeros up to the precision (or the width, with the flag 0), digits. */
static void put_integer(struct buf *out, const struct spec *sp, int64_t i, unsigned base)
{
    CLEANUP(buf_deinit) struct buf digits = BUF_INIT, text = BUF_INIT;
    bool negative = i < 0;
    int wanted = sp->precision;
    if (wanted < 0 && sp->zero && sp->width > 0)
        wanted = sp->width - (negative || sp->plus || sp->space);
    if (wanted != 0 || i != 0)
        put_digits(&digits, negative ? 0 - (uint64_t)i : (uint64_t)i, base, sp->verb == 'X');
    struct spec plain = *sp;
    plain.zero = false;
    if (sp->precision == 0 && i == 0) {
        pad(out, &plain, SV_EMPTY);
        return;
    }
    if (negative || sp->plus || sp->space)
        buf_put_u8(&text, negative ? '-' : sp->plus ? '+' : ' ');
    if (sp->sharp && (base == 16 || base == 2))
        buf_put(&text, base == 2 ? SV("0b") : sp->verb == 'X' ? SV("0X") : SV("0x"));
    if (sp->verb == 'O')
        buf_put(&text, SV("0o"));
    if (wanted > (int)digits.len)
        buf_fill(&text, '0', (size_t)wanted - digits.len);
    else if (sp->sharp && base == 8 && digits.p[0] != '0')
        buf_put_u8(&text, '0');
    buf_put(&text, buf_view(&digits));
    pad(out, &plain, buf_view(&text));
}

static void put_character(struct buf *out, const struct spec *sp, int64_t i)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    uint32_t c = i < 0 || i > 0x10ffff ? UTF8_REPLACEMENT : (uint32_t)i;
    if (sp->verb == 'c') {
        utf8_put(&text, c);
    } else if (sp->verb == 'q') {
        CLEANUP(buf_deinit) struct buf rune = BUF_INIT, quoted = BUF_INIT;
        utf8_put(&rune, c);
        go_quote(&quoted, buf_view(&rune));
        struct str_view inside = sv_sub(buf_view(&quoted), 1, quoted.len - 2);
        inside = c == '"' ? SV("\"") : c == '\'' ? SV("\\'") : inside;
        buf_printf(&text, "'%.*s'", SV_ARG(inside));
    } else {
        buf_printf(&text, "U+%04llX", (unsigned long long)i);
    }
    struct spec plain = *sp;
    plain.zero &= sp->verb != 'U';
    pad(out, &plain, buf_view(&text));
}

static bool format_integer(struct buf *out, const struct spec *sp, int64_t i)
{
    switch (sp->verb) {
    case 'v':
    case 'd':
        put_integer(out, sp, i, 10);
        return true;
    case 'x':
    case 'X':
        put_integer(out, sp, i, 16);
        return true;
    case 'o':
    case 'O':
        put_integer(out, sp, i, 8);
        return true;
    case 'b':
        put_integer(out, sp, i, 2);
        return true;
    case 'c':
    case 'q':
    case 'U':
        put_character(out, sp, i);
        return true;
    default:
        return false;
    }
}

/* ---- floats ---- */

/* 0x1.8p+00: as C's %a, but two digits of exponent at least. */
static void put_hex_float(struct buf *out, double f, const struct spec *sp)
{
    char text[64];
    bool upper = sp->verb == 'X';
    int precision = sp->precision > 20 ? 20 : sp->precision;
    int n = precision < 0 ? snprintf(text, sizeof text, upper ? "%A" : "%a", f)
                          : snprintf(text, sizeof text, upper ? "%.*A" : "%.*a", precision, f);
    buf_put(out, sv(text, (size_t)n));
    if (n > 2 && (text[n - 2] == '+' || text[n - 2] == '-')) {
        out->p[out->len - 1] = '0';
        buf_put_u8(out, (uint8_t)text[n - 1]);
    }
}

static bool format_float(struct buf *out, const struct spec *sp, double f)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    if (sp->verb == 0 || sp->verb > 127 || !strchr("vbeEfFgGxX", (int)sp->verb))
        return false;
    bool special = !isfinite(f);
    if (!signbit(f) && (sp->plus || sp->space) && !isnan(f))
        buf_put_u8(&text, sp->plus ? '+' : ' ');
    char verb = sp->verb == 'v' ? 'g' : sp->verb == 'F' ? 'f' : (char)sp->verb;
    if (special && isinf(f) && !signbit(f) && !text.len)
        buf_put(&text, SV("+Inf"));
    else if (special)
        buf_put(&text, isnan(f) ? SV("NaN") : signbit(f) ? SV("-Inf") : SV("Inf"));
    else if (verb == 'x' || verb == 'X')
        put_hex_float(&text, f, sp);
    else if (verb == 'b') {
        int exponent;
        double m = frexp(f, &exponent);
        buf_printf(&text, "%lldp%+d", (long long)ldexp(m, 53), exponent - 53);
    } else {
        tv_put_float(&text, f, verb, sp->precision);
    }
    struct spec plain = *sp;
    plain.zero &= !special;
    pad_number(out, &plain, buf_view(&text));
    return true;
}

/* ---- text ---- */

/* The first `n` runes; all of them when n < 0. */
static struct str_view first_runes(struct str_view s, int n)
{
    struct str_view rest = s;
    if (n < 0)
        return s;
    for (int i = 0; i < n && rest.len; i++) {
        uint32_t c;
        size_t step = utf8_decode(rest, &c);
        rest = sv_from(rest, step ? step : 1);
    }
    return sv(s.p, s.len - rest.len);
}

static void put_hex_bytes(struct buf *text, const struct spec *sp, struct str_view s)
{
    size_t n = sp->precision >= 0 && (size_t)sp->precision < s.len ? (size_t)sp->precision : s.len;
    bool upper = sp->verb == 'X';
    for (size_t i = 0; i < n; i++) {
        if (i && sp->space)
            buf_put_u8(text, ' ');
        if (sp->sharp && (i == 0 || sp->space))
            buf_put(text, upper ? SV("0X") : SV("0x"));
        buf_printf(text, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
    }
}

static bool format_string(struct buf *out, const struct spec *sp, struct str_view s)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct str_view cut = first_runes(s, sp->precision);
    switch (sp->verb) {
    case 's':
    case 'v':
        pad(out, sp, cut);
        return true;
    case 'q':
        if (sp->sharp && sv_find_byte(cut, '`') == cut.len)
            buf_printf(&text, "`%.*s`", SV_ARG(cut));
        else
            go_quote(&text, cut);
        pad(out, sp, buf_view(&text));
        return true;
    case 'x':
    case 'X':
        put_hex_bytes(&text, sp, s);
        pad(out, sp, buf_view(&text));
        return true;
    default:
        return false;
    }
}

/* ---- any value ---- */

static void format_value(struct buf *out, const struct spec *sp, const struct tvalue *v,
                         bool inside);

/* "%!d(string=a)"; the value is printed with the flags that were given. */
static void put_bad_verb(struct buf *out, const struct spec *sp, const struct tvalue *v)
{
    buf_put(out, SV("%!"));
    utf8_put(out, sp->verb);
    buf_put_u8(out, '(');
    if (v->kind == TK_NIL) {
        buf_put(out, SV("<nil>"));
    } else {
        struct spec plain = *sp;
        plain.verb = 'v';
        buf_printf(out, "%s=", tv_type_name(v));
        format_value(out, &plain, v, false);
    }
    buf_put_u8(out, ')');
}

static void format_list(struct buf *out, const struct spec *sp, const struct tvalue *v)
{
    buf_put(out, v->kind == TK_MAP ? SV("map[") : SV("["));
    size_t n = v->kind == TK_MAP ? v->map.n : v->list.n;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_put_u8(out, ' ');
        if (v->kind == TK_MAP) {
            struct tvalue key = tv_string(v->map.v[i].key);
            format_value(out, sp, &key, true);
            buf_put_u8(out, ':');
        }
        format_value(out, sp, v->kind == TK_MAP ? &v->map.v[i].value : &v->list.v[i], true);
    }
    buf_put_u8(out, ']');
}

/* A time is a text where a text is wanted. */
static bool format_time(struct buf *out, const struct spec *sp, const struct tvalue *v)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    tv_print(&text, v);
    return format_string(out, sp, buf_view(&text));
}

static void format_value(struct buf *out, const struct spec *sp, const struct tvalue *v,
                         bool inside)
{
    bool ok = true;
    if (sp->verb == 'T' && !inside) {
        struct spec text = *sp;
        text.verb = 's';
        format_string(out, &text, sv_of(v->kind == TK_NIL ? "<nil>" : tv_type_name(v)));
        return;
    }
    switch (v->kind) {
    case TK_NIL:
        ok = inside || sp->verb == 'v';
        if (ok && inside)
            buf_put(out, SV("<nil>"));
        else if (ok)
            pad(out, sp, SV("<nil>"));
        break;
    case TK_BOOL:
        ok = sp->verb == 't' || sp->verb == 'v';
        if (ok)
            pad(out, sp, v->b ? SV("true") : SV("false"));
        break;
    case TK_INT:
        ok = format_integer(out, sp, v->i);
        break;
    case TK_FLOAT:
        ok = format_float(out, sp, v->f);
        break;
    case TK_STRING:
        ok = format_string(out, sp, v->s);
        break;
    case TK_TIME:
        ok = format_time(out, sp, v);
        break;
    case TK_MONTH:
    case TK_WEEKDAY:
        ok = sp->verb && strchr("vsqxX", (int)sp->verb) ? format_string(out, sp, sv_of(tv_name(v)))
                                                        : format_integer(out, sp, v->i);
        break;
    case TK_LIST:
    case TK_MAP:
        format_list(out, sp, v);
        break;
    }
    if (!ok)
        put_bad_verb(out, sp, v);
}

static int too_long(struct err *err, size_t max_bytes)
{
    return err_set(err, ERR_OVER_BUDGET, "printf: the text would exceed %zu bytes", max_bytes);
}

/* How many values a list holds, itself and those inside included. */
static size_t n_values(const struct tvalue *v)
{
    size_t n = 1;
    for (size_t i = 0; v->kind == TK_LIST && i < v->list.n; i++)
        n += n_values(&v->list.v[i]);
    for (size_t i = 0; v->kind == TK_MAP && i < v->map.n; i++)
        n += 1 + n_values(&v->map.v[i].value);
    return n;
}

static void put_extra(struct buf *out, const struct tvalue *args, size_t n)
{
    buf_put(out, SV("%!(EXTRA "));
    for (size_t i = 0; i < n; i++) {
        struct spec plain = {.width = -1, .precision = -1, .verb = 'v'};
        if (i)
            buf_put(out, SV(", "));
        if (args[i].kind != TK_NIL)
            buf_printf(out, "%s=", tv_type_name(&args[i]));
        format_value(out, &plain, &args[i], false);
    }
    buf_put_u8(out, ')');
}

/* One verb; `format` stands behind its %. */
static int put_verb(struct buf *out, struct str_view *format, const struct tvalue *arg, size_t room,
                    bool *ret_used)
{
    *ret_used = false;
    if (format->len == 0) {
        buf_put(out, SV("%!(NOVERB)"));
        return 0;
    }
    struct spec sp = take_spec(format);
    size_t wide = (size_t)(sp.width > sp.precision ? sp.width : sp.precision);
    if (sp.width > MOST_WIDTH || sp.precision > MOST_WIDTH ||
        ((sp.width > 0 || sp.precision > 0) && wide * (arg ? n_values(arg) : 1) > room))
        return 1;
    if (sp.verb == '%') {
        buf_put_u8(out, '%');
    } else if (sp.verb == 0 && format->len == 0) {
        buf_put(out, SV("%!(NOVERB)"));
    } else if (!arg) {
        buf_put(out, SV("%!"));
        utf8_put(out, sp.verb);
        buf_put(out, SV("(MISSING)"));
    } else {
        *ret_used = true;
        format_value(out, &sp, arg, false);
    }
    return 0;
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
        bool took;
        size_t had = out->len - base;
        if (had > max_bytes ||
            put_verb(out, &format, used < n ? &args[used] : NULL, max_bytes - had, &took) != 0)
            return too_long(err, max_bytes);
        used += took;
    }
    if (used < n)
        put_extra(out, args + used, n - used);
    return out->len - base > max_bytes ? too_long(err, max_bytes) : 0;
}
