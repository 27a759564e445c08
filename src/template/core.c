/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that Go itself gives to templates and those that know no other place: comparison,
 * length, index and slice, print, default, fromJson, numbers out of texts, the line and the time of
 * the row.  `and` and `or` have a row here and no function: eval.c evaluates their operands one by
 * one. */
#include "base/tz.h"
#include "base/values.h"
#include "template/func.h"

static int fail(struct tcall *c, const char *text)
{
    return err_set(c->err, ERR_INVALID, "%s", text);
}

static int fn_not(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_bool(!tv_truth(&args[0]));
    return 0;
}

/* Months and days of the week are whole numbers too. */
static enum tkind comparable_kind(const struct tvalue *v)
{
    return v->kind == TK_MONTH || v->kind == TK_WEEKDAY ? TK_INT : v->kind;
}

/* 1 equal, 0 not, < 0 not comparable. */
static int equal(struct tcall *c, const struct tvalue *a, const struct tvalue *b)
{
    if (a->kind >= TK_LIST || b->kind >= TK_LIST)
        return a->kind == TK_NIL || b->kind == TK_NIL ? 0 : fail(c, "non-comparable type");
    if (a->kind == TK_NIL || b->kind == TK_NIL)
        return a->kind == b->kind;
    if (comparable_kind(a) != comparable_kind(b))
        return fail(c, "incompatible types for comparison");
    switch (comparable_kind(a)) {
    case TK_BOOL:
        return a->b == b->b;
    case TK_INT:
        return a->i == b->i;
    case TK_FLOAT:
        return a->f == b->f;
    case TK_STRING:
        return sv_eq(a->s, b->s);
    default:
        return a->t.sec == b->t.sec && a->t.nsec == b->t.nsec;
    }
}

static int fn_eq(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    if (n < 2)
        return fail(c, "missing argument for comparison");
    *ret = tv_bool(false);
    for (size_t i = 1; i < n && !ret->b; i++) {
        int r = equal(c, &args[0], &args[i]);
        if (r < 0)
            return r;
        ret->b = r;
    }
    return 0;
}

static int fn_ne(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    int r = equal(c, &args[0], &args[1]);
    *ret = tv_bool(r == 0);
    return r < 0 ? r : 0;
}

static int less(struct tcall *c, const struct tvalue *a, const struct tvalue *b)
{
    if (comparable_kind(a) != comparable_kind(b))
        return fail(c, "incompatible types for comparison");
    switch (comparable_kind(a)) {
    case TK_INT:
        return a->i < b->i;
    case TK_FLOAT:
        return a->f < b->f;
    case TK_STRING:
        return sv_cmp(a->s, b->s) < 0;
    default:
        return fail(c, "invalid type for comparison");
    }
}

static int fn_lt(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    int r = less(c, &args[0], &args[1]);
    *ret = tv_bool(r > 0);
    return r < 0 ? r : 0;
}

static int fn_le(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    int r = less(c, &args[0], &args[1]);
    if (r == 0)
        r = equal(c, &args[0], &args[1]);
    *ret = tv_bool(r > 0);
    return r < 0 ? r : 0;
}

static int fn_gt(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    int r = fn_le(c, args, n, ret);
    ret->b = !ret->b;
    return r;
}

static int fn_ge(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    int r = fn_lt(c, args, n, ret);
    ret->b = !ret->b;
    return r;
}

static int fn_len(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    switch (args[0].kind) {
    case TK_STRING:
        *ret = tv_int((int64_t)args[0].s.len);
        return 0;
    case TK_LIST:
        *ret = tv_int((int64_t)args[0].list.n);
        return 0;
    case TK_MAP:
        *ret = tv_int((int64_t)args[0].map.n);
        return 0;
    case TK_NIL:
        return fail(c, "len of nil pointer");
    default:
        return err_set(c->err, ERR_INVALID, "len of type %s", tv_type_name(&args[0]));
    }
}

static int index_one(struct tcall *c, const struct tvalue *of, const struct tvalue *key,
                     struct tvalue *ret)
{
    if (of->kind == TK_NIL)
        return fail(c, "index of untyped nil");
    if (of->kind == TK_MAP) {
        if (key->kind != TK_STRING)
            return err_set(c->err, ERR_INVALID, "value has type %s; should be string",
                           tv_type_name(key));
        *ret = tv_map_get(of, key->s);
        return 0;
    }
    if (of->kind != TK_LIST && of->kind != TK_STRING)
        return err_set(c->err, ERR_INVALID, "can't index item of type %s", tv_type_name(of));
    if (comparable_kind(key) != TK_INT)
        return err_set(c->err, ERR_INVALID, "cannot index slice/array with type %s",
                       tv_type_name(key));
    size_t n = of->kind == TK_LIST ? of->list.n : of->s.len;
    if (key->i < 0 || (uint64_t)key->i >= n)
        return err_set(c->err, ERR_INVALID, "index out of range: %lld", (long long)key->i);
    *ret = of->kind == TK_LIST ? of->list.v[key->i] : tv_octet((uint8_t)of->s.p[key->i]);
    return 0;
}

static int fn_index(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = args[0];
    if (ret->kind == TK_NIL)
        return fail(c, "index of untyped nil");
    for (size_t i = 1; i < n; i++) {
        struct tvalue of = *ret;
        int r = index_one(c, &of, &args[i], ret);
        if (r < 0)
            return r;
    }
    return 0;
}

static int fn_slice(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    const struct tvalue *of = &args[0];
    if (of->kind != TK_STRING && of->kind != TK_LIST)
        return err_set(c->err, ERR_INVALID, "can't slice item of type %s", tv_type_name(of));
    size_t len = of->kind == TK_STRING ? of->s.len : of->list.n;
    int64_t cut[2] = {0, (int64_t)len};
    if (n > 3)
        return fail(c, of->kind == TK_STRING ? "cannot 3-index slice a string"
                                             : "too many slice indexes");
    for (size_t i = 1; i < n; i++) {
        if (comparable_kind(&args[i]) != TK_INT)
            return err_set(c->err, ERR_INVALID, "cannot index slice/array with type %s",
                           tv_type_name(&args[i]));
        if (args[i].i < 0 || (uint64_t)args[i].i > len)
            return err_set(c->err, ERR_INVALID, "index out of range: %lld", (long long)args[i].i);
        cut[i - 1] = args[i].i;
    }
    if (cut[0] > cut[1])
        return err_set(c->err, ERR_INVALID, "invalid slice index: %lld > %lld", (long long)cut[0],
                       (long long)cut[1]);
    *ret = *of;
    ret->literal = false;
    if (of->kind == TK_STRING) {
        ret->s = sv_sub(of->s, (size_t)cut[0], (size_t)(cut[1] - cut[0]));
    } else {
        ret->list.v = of->list.v + cut[0];
        ret->list.n = (size_t)(cut[1] - cut[0]);
    }
    return 0;
}

/* A blank stands between two operands that are both not strings. */
static void sprint(struct buf *out, const struct tvalue *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i && args[i].kind != TK_STRING && args[i - 1].kind != TK_STRING)
            buf_put_u8(out, ' ');
        if (args[i].kind == TK_NIL)
            buf_put(out, SV("<nil>"));
        else
            tv_print(out, &args[i]);
    }
}

static int fn_print(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    sprint(&text, args, n);
    return tfunc_text_result(c, &text, ret);
}

static int fn_println(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_put_u8(&text, ' ');
        sprint(&text, &args[i], 1);
    }
    buf_put_u8(&text, '\n');
    return tfunc_text_result(c, &text, ret);
}

static int fn_printf(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    int r = tv_printf(&text, args[0].s, args + 1, n - 1, c->max_bytes, c->err);
    if (r < 0) {
        buf_deinit(&text);
        return r;
    }
    return tfunc_text_result(c, &text, ret);
}

static int fn_call(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return fail(c, "non-function of type string");
}

static int fn_default(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = n < 2 || !tv_truth(&args[1]) ? args[0] : args[1];
    return 0;
}

static int fn_from_json(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    if (!tv_from_json(c->arena, args[0].s, ret))
        *ret = TV_NIL;
    return 0;
}

static int fn_int(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_int(tv_to_int(&args[0]));
    return 0;
}

static int fn_float64(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_float(tv_to_float(&args[0]));
    return 0;
}

static int fn_bytes(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    uint64_t bytes;
    int r = bytesize_parse(args[0].s, &bytes, c->err);
    if (r == 0)
        *ret = tv_float((double)bytes);
    return r;
}

static int fn_duration(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    int64_t ns;
    int r = duration_parse_go(args[0].s, &ns, c->err);
    if (r == 0)
        *ret = tv_float((double)(ns / 1000000000) + (double)(ns % 1000000000) / 1e9);
    return r;
}

static int fn_line(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_string(c->data->line);
    return 0;
}

static int fn_timestamp(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = (struct tvalue){.kind = TK_TIME, .t = gotime_of_ns(c->data->ts_ns, tz_local())};
    return 0;
}

const struct tfunc TFUNC_CORE[] = {
    {"and", "a", true, NULL},
    {"or", "a", true, NULL},
    {"not", "a", false, fn_not},
    {"eq", "aa", true, fn_eq},
    {"ne", "aa", false, fn_ne},
    {"lt", "aa", false, fn_lt},
    {"le", "aa", false, fn_le},
    {"gt", "aa", false, fn_gt},
    {"ge", "aa", false, fn_ge},
    {"len", "a", false, fn_len},
    {"index", "aa", true, fn_index},
    {"slice", "aa", true, fn_slice},
    {"print", "a", true, fn_print},
    {"println", "a", true, fn_println},
    {"printf", "sa", true, fn_printf},
    {"call", "aa", true, fn_call},
    {"default", "aa", true, fn_default},
    {"fromJson", "s", false, fn_from_json},
    {"int", "a", false, fn_int},
    {"float64", "a", false, fn_float64},
    {"bytes", "s", false, fn_bytes},
    {"duration", "s", false, fn_duration},
    {"duration_seconds", "s", false, fn_duration},
    {"__line__", "", false, fn_line},
    {"__timestamp__", "", false, fn_timestamp},
    {0},
};
