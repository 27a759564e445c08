/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a function by its name in the tables of the other files, and what those files share:
 * numbers out of values that are text, and texts bounded in length. */
#include "template/func.h"
#include "base/ascii.h"
#include "base/values.h"

const struct tfunc *tfunc_find(struct str_view name)
{
    const struct tfunc *const TABLES[] = {TFUNC_CORE,   TFUNC_TEXT, TFUNC_TRIM,
                                          TFUNC_ENCODE, TFUNC_MATH, TFUNC_TIME};
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        for (const struct tfunc *f = TABLES[i]; f->name; f++)
            if (sv_eq(sv_of(f->name), name))
                return f;
    return NULL;
}

static bool is_of(const struct tfunc *f, const struct tfunc *table)
{
    const struct tfunc *end = table;
    while (end->name)
        end++;
    return f >= table && f < end;
}

bool tfunc_reads_text(const struct tfunc *f)
{
    return is_of(f, TFUNC_TEXT) || is_of(f, TFUNC_TRIM) || is_of(f, TFUNC_ENCODE);
}

int tfunc_text_result(struct tcall *c, struct buf *text, struct tvalue *ret)
{
    int r = 0;
    if (text->len > c->max_bytes)
        r = err_set(c->err, ERR_OVER_BUDGET, "the text would exceed %zu bytes", c->max_bytes);
    else
        *ret = tv_string(arena_copy(c->arena, buf_view(text)));
    buf_deinit(text);
    return r;
}

struct str_view tv_text(struct arena *a, const struct tvalue *v)
{
    if (v->kind == TK_STRING)
        return v->s;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    tv_print(&text, v);
    return arena_copy(a, buf_view(&text));
}

/* A text as an integer: base prefixes, "3.7" is 3, anything else 0. */
static int64_t int_of_text(struct str_view s)
{
    int64_t v;
    size_t point = sv_find_byte(s, '.'), digits = point + 1;
    while (digits < s.len && ascii_is_digit(s.p[digits]))
        digits++;
    bool decimals = point < s.len && digits == s.len;
    return tv_integer_of(decimals ? sv_sub(s, 0, point) : s, &v) ? v : 0;
}

int64_t tv_to_int(const struct tvalue *v)
{
    switch (v->kind) {
    case TK_BOOL:
        return v->b;
    case TK_INT:
        return v->i;
    case TK_FLOAT:
        return v->f >= -9.2e18 && v->f <= 9.2e18 ? (int64_t)v->f : INT64_MIN;
    case TK_STRING:
        return int_of_text(v->s);
    default:
        return 0;
    }
}

double tv_to_float(const struct tvalue *v)
{
    double f;
    switch (v->kind) {
    case TK_BOOL:
        return v->b;
    case TK_INT:
        return (double)v->i;
    case TK_FLOAT:
        return v->f;
    case TK_STRING:
        return number_parse(v->s, &f, NULL) == 0 ? f : 0;
    default:
        return 0;
    }
}
