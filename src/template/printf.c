/* SPDX-License-Identifier: Apache-2.0 */
/* Go's Sprintf.  What does not fit prints in place, as in Go: `%!d(string=a)`, `%!d(MISSING)`,
 * `%!d(BADINDEX)`, `%!(BADWIDTH)`, `%!(EXTRA int=1)`; lists and maps format their elements. */
#include "base/ascii.h"
#include "base/utf8.h"
#include "template/fmt.h"
#include "template/value.h"

enum { MOST_NUMBER = 1000000 }; /* of a width, precision or index: Go takes no larger ones */

/* ---- any value under one verb ---- */

static void put_value(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v,
                      bool inside);

/* "%!d(string=a)"; the value is printed with the flags that were given. */
static void put_bad_verb(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v)
{
    buf_put(out->text, SV("%!"));
    utf8_put(out->text, sp->verb);
    buf_put_u8(out->text, '(');
    if (v->kind == TK_NIL) {
        buf_put(out->text, SV("<nil>"));
    } else {
        struct fmt_spec plain = *sp;
        struct tvalue number = *v;
        plain.verb = 'v';
        if (v->kind == TK_MONTH || v->kind == TK_WEEKDAY)
            number.kind = TK_INT; /* an error never asks a value for its name */
        buf_printf(out->text, "%s=", tv_type_name(v));
        put_value(out, &plain, &number, false);
    }
    buf_put_u8(out->text, ')');
}

/* [a b], map[k:v]; in Go's own syntax for %#v. */
static void put_elements(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v)
{
    bool is_map = v->kind == TK_MAP;
    if (sp->sharp_v)
        buf_printf(out->text, "%s{", tv_type_name(v));
    else
        buf_put(out->text, is_map ? SV("map[") : SV("["));
    size_t n = is_map ? v->map.n : v->list.n;
    for (size_t i = 0; i < n && !out->over; i++) {
        if (i)
            buf_put(out->text, sp->sharp_v ? SV(", ") : SV(" "));
        if (is_map) {
            struct tvalue key = tv_string(v->map.v[i].key);
            put_value(out, sp, &key, true);
            buf_put_u8(out->text, ':');
        }
        put_value(out, sp, is_map ? &v->map.v[i].value : &v->list.v[i], true);
    }
    buf_put_u8(out->text, sp->sharp_v ? '}' : ']');
}

/* time.Date(2023, time.November, 14, 22, 13, 20, 123456789, time.UTC) */
static void put_time_in_go(struct buf *out, struct gotime t)
{
    struct gotime_civil c = gotime_civil(t);
    buf_printf(out, "time.Date(%lld, time.%s, %d, %d, %d, %d, %d, ", (long long)c.year,
               GOTIME_MONTHS[c.month - 1], c.day, c.hour, c.minute, c.second, (int)t.nsec);
    if (strcmp(t.zone, "UTC") == 0)
        buf_put(out, SV("time.UTC)"));
    else
        buf_printf(out, "time.Location(\"%s\"))", t.zone);
}

/* A time is a text where a text is wanted. */
static bool put_time(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct fmt_spec plain = *sp;
    if (sp->sharp_v) {
        put_time_in_go(&text, v->t);
        plain.verb = 's';
    } else {
        tv_print(&text, v);
    }
    return fmt_string(out, &plain, buf_view(&text));
}

/* A month is its name where a text is wanted, else its number. */
static bool put_named(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v)
{
    bool named = !sp->sharp_v && sp->verb && sp->verb < 128 && strchr("vsqxX", (int)sp->verb);
    return named ? fmt_string(out, sp, sv_of(tv_name(v))) : fmt_integer(out, sp, v->i);
}

/* Nil has no type: inside of a list it prints alike for each verb. */
static bool put_nil(struct fmt_out *out, const struct fmt_spec *sp, bool inside)
{
    if (inside)
        buf_put(out->text, sp->sharp_v ? SV("interface {}(nil)") : SV("<nil>"));
    else if (sp->verb == 'v' || sp->verb == 'T')
        fmt_pad(out, sp, SV("<nil>"));
    else
        return false;
    return true;
}

/* The address of a list or map; ours says nothing about our memory. */
static bool put_address(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v)
{
    enum { NOWHERE = 0x10000 };
    struct fmt_spec hex = *sp;
    hex.verb = 'x';
    hex.sharp = !sp->sharp;
    return v->kind >= TK_LIST && fmt_integer(out, &hex, NOWHERE);
}

static bool put_of_kind(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v,
                        bool inside)
{
    switch (v->kind) {
    case TK_NIL:
        return put_nil(out, sp, inside);
    case TK_BOOL:
        if (sp->verb != 't' && sp->verb != 'v')
            return false;
        fmt_pad(out, sp, v->b ? SV("true") : SV("false"));
        return true;
    case TK_INT:
        return v->octet ? fmt_octet(out, sp, (uint8_t)v->i) : fmt_integer(out, sp, v->i);
    case TK_FLOAT:
        return fmt_float(out, sp, v->f);
    case TK_STRING:
        return fmt_string(out, sp, v->s);
    case TK_TIME:
        return put_time(out, sp, v);
    case TK_MONTH:
    case TK_WEEKDAY:
        return put_named(out, sp, v);
    case TK_LIST:
    case TK_MAP:
        if (sp->verb == 'w') /* Go refuses it before it looks inside */
            return false;
        put_elements(out, sp, v);
        return true;
    }
    return false;
}

static void put_value(struct fmt_out *out, const struct fmt_spec *sp, const struct tvalue *v,
                      bool inside)
{
    bool ok;
    if (sp->verb == 'T' && !inside && v->kind != TK_NIL) {
        struct fmt_spec text = *sp;
        text.verb = 's';
        ok = fmt_string(out, &text, sv_of(tv_type_name(v)));
    } else if (sp->verb == 'p' && !inside) {
        ok = put_address(out, sp, v);
    } else {
        ok = put_of_kind(out, sp, v, inside);
    }
    if (!ok)
        put_bad_verb(out, sp, v);
}

/* ---- the format ---- */

struct printer {
    struct fmt_out out;
    struct str_view format; /* what is left of it */
    const struct tvalue *args;
    size_t n_args, at; /* the next one */
    bool reordered;    /* an index was written somewhere: leftovers are no fault */
    bool good_index;   /* of the verb in hand */
    bool after_index;  /* an index was read and not used yet */
};

static bool next_is(const struct printer *p, char c)
{
    return p->format.len && p->format.p[0] == c;
}

static void advance(struct printer *p, size_t n)
{
    p->format = sv_from(p->format, n);
}

/* Digits; of a number that is too large the whole format is used up.  False: there was none. */
static bool take_number(struct printer *p, int *ret)
{
    bool any = false;
    *ret = 0;
    while (p->format.len && ascii_is_digit(p->format.p[0])) {
        if (*ret > MOST_NUMBER) {
            *ret = 0;
            advance(p, p->format.len);
            return false;
        }
        *ret = *ret * 10 + (p->format.p[0] - '0');
        any = true;
        advance(p, 1);
    }
    return any;
}

/* [3], counted from 1. */
static void take_index(struct printer *p)
{
    p->after_index = false;
    if (!next_is(p, '['))
        return;
    p->reordered = true;
    size_t close = sv_find_byte(p->format, ']');
    if (close == p->format.len || p->format.len < 3) {
        p->good_index = false;
        advance(p, 1);
        return;
    }
    int index;
    struct printer inside = {.format = sv_sub(p->format, 1, close - 1)};
    bool is_number = take_number(&inside, &index) && inside.format.len == 0;
    advance(p, close + 1);
    p->after_index = is_number;
    if (is_number && index >= 1 && (size_t)index <= p->n_args)
        p->at = (size_t)index - 1;
    else
        p->good_index = false;
}

/* The value of a star; false when the next operand is none that can be one. */
static bool take_star(struct printer *p, int *ret)
{
    advance(p, 1);
    p->after_index = false;
    *ret = 0;
    if (p->at >= p->n_args)
        return false;
    const struct tvalue *v = &p->args[p->at++];
    bool whole = v->kind == TK_INT || v->kind == TK_MONTH || v->kind == TK_WEEKDAY;
    if (!whole || v->i > MOST_NUMBER || v->i < -MOST_NUMBER)
        return false;
    *ret = (int)v->i;
    return true;
}

static void take_flags(struct printer *p, struct fmt_spec *sp)
{
    for (; p->format.len; advance(p, 1)) {
        switch (p->format.p[0]) {
        case '-':
            sp->minus = true;
            break;
        case '+':
            sp->plus = true;
            break;
        case '0':
            sp->zero = true;
            break;
        case ' ':
            sp->space = true;
            break;
        case '#':
            sp->sharp = true;
            break;
        default:
            sp->zero &= !sp->minus;
            return;
        }
    }
}

static void take_width(struct printer *p, struct fmt_spec *sp)
{
    take_index(p);
    if (!next_is(p, '*')) {
        sp->has_width = take_number(p, &sp->width);
        p->good_index &= !(p->after_index && sp->has_width); /* %[3]2d */
        return;
    }
    sp->has_width = take_star(p, &sp->width);
    if (!sp->has_width)
        buf_put(p->out.text, SV("%!(BADWIDTH)"));
    if (sp->width < 0) {
        sp->width = -sp->width;
        sp->minus = true;
        sp->zero = false;
    }
}

static void take_precision(struct printer *p, struct fmt_spec *sp)
{
    if (!next_is(p, '.'))
        return;
    advance(p, 1);
    p->good_index &= !p->after_index; /* %[3].2d */
    take_index(p);
    if (!next_is(p, '*')) {
        take_number(p, &sp->precision);
        sp->has_precision = true;
        return;
    }
    sp->has_precision = take_star(p, &sp->precision) && sp->precision >= 0;
    if (!sp->has_precision) {
        sp->precision = 0;
        buf_put(p->out.text, SV("%!(BADPREC)"));
    }
}

/* False: the format ends before the verb. */
static bool take_verb(struct printer *p, struct fmt_spec *sp)
{
    if (!p->after_index)
        take_index(p);
    if (p->format.len == 0)
        return false;
    size_t n = utf8_decode(p->format, &sp->verb);
    if (n == 0)
        sp->verb = UTF8_REPLACEMENT;
    advance(p, n ? n : 1);
    if (sp->verb == 'v') {
        sp->plus_v = sp->plus;
        sp->sharp_v = sp->sharp;
        sp->plus = sp->sharp = false;
    }
    return true;
}

static void put_fault(struct printer *p, const struct fmt_spec *sp, const char *what)
{
    buf_put(p->out.text, SV("%!"));
    utf8_put(p->out.text, sp->verb);
    buf_printf(p->out.text, "(%s)", what);
}

/* From behind the % to behind its verb. */
static void put_directive(struct printer *p)
{
    struct fmt_spec sp = {.verb = 0};
    p->good_index = true;
    p->after_index = false;
    take_flags(p, &sp);
    take_width(p, &sp);
    take_precision(p, &sp);
    if (!take_verb(p, &sp))
        buf_put(p->out.text, SV("%!(NOVERB)"));
    else if (sp.verb == '%')
        buf_put_u8(p->out.text, '%');
    else if (!p->good_index)
        put_fault(p, &sp, "BADINDEX");
    else if (p->at >= p->n_args)
        put_fault(p, &sp, "MISSING");
    else
        put_value(&p->out, &sp, &p->args[p->at++], false);
}

static void put_extra(struct printer *p)
{
    struct fmt_spec plain = {.verb = 'v'};
    buf_put(p->out.text, SV("%!(EXTRA "));
    for (size_t i = p->at; i < p->n_args; i++) {
        if (i > p->at)
            buf_put(p->out.text, SV(", "));
        if (p->args[i].kind != TK_NIL)
            buf_printf(p->out.text, "%s=", tv_type_name(&p->args[i]));
        put_value(&p->out, &plain, &p->args[i], false);
    }
    buf_put_u8(p->out.text, ')');
}

int tv_printf(struct buf *out, struct str_view format, const struct tvalue *args, size_t n,
              size_t max_bytes, struct err *err)
{
    struct printer p = {
        .out = {out, out->len + max_bytes}, .format = format, .args = args, .n_args = n};
    while (p.format.len && fmt_fits(&p.out, 0)) {
        size_t text = sv_find_byte(p.format, '%');
        buf_put(out, sv_sub(p.format, 0, text));
        advance(&p, text);
        if (!p.format.len)
            break;
        advance(&p, 1);
        put_directive(&p);
    }
    if (!p.reordered && p.at < n)
        put_extra(&p);
    if (p.out.over || out->len > p.out.limit)
        return err_set(err, ERR_OVER_BUDGET, "printf: the text would exceed %zu bytes", max_bytes);
    return 0;
}
