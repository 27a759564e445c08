/* SPDX-License-Identifier: Apache-2.0 */
/* A function with its arguments: how many it takes, and of which of Go's types.  A number written
 * in the template takes the type that is wanted, any other value must have it already. */
#include <math.h>

#include "template/exec_impl.h"

/* Makes v what the letter asks for, as Go's assignability does. */
static bool convert(char type, struct tvalue *v)
{
    switch (type) {
    case 's':
        return v->kind == TK_STRING;
    case 'i':
        if (v->kind == TK_FLOAT && v->literal && fabs(v->f) < 9.2e18 &&
            v->f == (double)(int64_t)v->f)
            *v = tv_int((int64_t)v->f);
        return v->kind == TK_INT && !v->wide && !v->octet;
    case 'f':
        if (v->kind == TK_INT && v->literal)
            *v = tv_float((double)v->i);
        return v->kind == TK_FLOAT;
    case 't':
        return v->kind == TK_TIME;
    default:
        return true;
    }
}

static const char *type_word(char type)
{
    return type == 's'   ? "string"
           : type == 'i' ? "int"
           : type == 'f' ? "float64"
           : type == 't' ? "time.Time"
                         : "any";
}

static void count_text(struct texec *x, const struct tfunc *f, const struct tvalue *args, size_t n,
                       const struct tvalue *result)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < n && tfunc_reads_text(f); i++)
        if (args[i].kind == TK_STRING)
            n_bytes += args[i].s.len;
    if (result->kind == TK_STRING)
        n_bytes += result->s.len;
    texec_read(x, n_bytes);
}

int texec_call_func(struct texec *x, const struct tpipe *pipe, const struct targ *callee,
                    struct str_view source, struct tvalue *args, size_t n, struct tvalue *ret)
{
    const struct tfunc *f = callee->func;
    size_t want = strlen(f->types), least = f->many ? want - 1 : want;
    if (n < least || (n > want && !f->many))
        return texec_fail_at(x, pipe, source, "wrong number of args for %s: want %s%zu got %zu",
                             f->name, f->many ? "at least " : "", least, n);
    for (size_t i = 0; i < n; i++) {
        char type = f->types[i < want ? i : want - 1];
        struct tvalue given = args[i];
        if (!convert(type, &args[i]))
            return given.kind == TK_NIL
                       ? texec_fail_at(x, pipe, source, "invalid value; expected %s",
                                       type_word(type))
                       : texec_fail_at(x, pipe, source, "wrong type for value; expected %s; got %s",
                                       type_word(type), tv_type_name(&given));
    }
    struct err why = ERR_INIT;
    struct err *outer = x->call.err;
    x->call.err = &why;
    int r = f->fn(&x->call, args, n, ret);
    x->call.err = outer;
    if (r < 0)
        return texec_fail_at(x, pipe, source, "error calling %s: %s", f->name, why.text);
    count_text(x, f, args, n, ret);
    return 0;
}
