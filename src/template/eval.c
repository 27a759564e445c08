/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a pipeline: its commands from left to right, each getting the value before it as its
 * last argument; a command is a function with arguments, or a chain of names (.a.b, $x.y) whose
 * last may be a method of a time.  `.name` at the top asks the row for one label; only who looks at
 * `.` or `$` whole gets a map of all of them. */
#include "template/exec_impl.h"

enum { MAX_ARGS = 64 };

/* The map of all labels, made when it is wanted whole. */
static const struct tvalue *root_map(struct texec *x)
{
    if (x->has_root)
        return &x->root;
    struct labels l = x->call.data->all(x->call.data->ctx, x->call.arena);
    struct tpair *pairs = arena_alloc(x->call.arena, l.n * sizeof *pairs);
    for (size_t i = 0; i < l.n; i++)
        pairs[i] = (struct tpair){l.v[i].name, tv_string(l.v[i].value)};
    x->root = (struct tvalue){.kind = TK_MAP, .of_text = true, .map = {pairs, l.n}};
    x->has_root = true;
    return &x->root;
}

static struct tvalue label_value(struct texec *x, struct str_view name)
{
    struct str_view v = SV_EMPTY;
    x->call.data->get(x->call.data->ctx, name, &v);
    return tv_string(v);
}

static int time_method(struct texec *x, const struct gotime *t, struct str_view name,
                       struct tvalue *ret)
{
    struct gotime_civil c = gotime_civil(*t);
    const struct {
        struct str_view name;
        int64_t value;
        bool wide;
    } METHODS[] = {
        {SV("Unix"), t->sec, true},
        {SV("UnixMilli"), t->sec * 1000 + t->nsec / 1000000, true},
        {SV("UnixMicro"), t->sec * 1000000 + t->nsec / 1000, true},
        {SV("UnixNano"), (int64_t)((uint64_t)t->sec * 1000000000u + (uint64_t)t->nsec), true},
        {SV("Year"), c.year, false},
        {SV("Day"), c.day, false},
        {SV("Hour"), c.hour, false},
        {SV("Minute"), c.minute, false},
        {SV("Second"), c.second, false},
        {SV("Nanosecond"), t->nsec, false},
        {SV("YearDay"), c.yearday, false},
    };
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++)
        if (sv_eq(name, METHODS[i].name)) {
            *ret = METHODS[i].wide ? tv_int64(METHODS[i].value) : tv_int(METHODS[i].value);
            return 0;
        }
    if (sv_eq(name, SV("UTC")))
        *ret = (struct tvalue){.kind = TK_TIME, .t = gotime_in(*t, NULL)};
    else if (sv_eq(name, SV("Month")))
        *ret = (struct tvalue){.kind = TK_MONTH, .i = c.month};
    else if (sv_eq(name, SV("Weekday")))
        *ret = (struct tvalue){.kind = TK_WEEKDAY, .i = c.weekday};
    else if (sv_eq(name, SV("String")))
        *ret = tv_string(tv_text(x->call.arena, &(struct tvalue){.kind = TK_TIME, .t = *t}));
    else
        return 1;
    return 0;
}

/* One step of a chain: .name of a value; args are those of a method. */
static int eval_field(struct texec *x, const struct tpipe *pipe, struct str_view source,
                      const struct tvalue *of, struct str_view name, const struct tvalue *args,
                      size_t n_args, struct tvalue *ret)
{
    if (of->kind == TK_TIME && sv_eq(name, SV("Format")) && n_args == 1 &&
        args[0].kind == TK_STRING) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        gotime_format(&text, of->t, args[0].s);
        *ret = tv_string(arena_copy(x->call.arena, buf_view(&text)));
        return 0;
    }
    if (n_args)
        return texec_fail_at(x, pipe, source, "%.*s is not a method but has arguments",
                             SV_ARG(name));
    if (of->kind == TK_MAP) {
        *ret = tv_map_get(of, name);
        ret->inside = true;
        return 0;
    }
    if (of->kind == TK_NIL && !of->inside) {
        *ret = TV_NIL;
        return 0;
    }
    if (of->kind == TK_TIME && time_method(x, &of->t, name, ret) == 0)
        return 0;
    if (of->kind == TK_NIL)
        return texec_fail_at(x, pipe, source, "nil pointer evaluating interface {}.%.*s",
                             SV_ARG(name));
    return texec_fail_at(x, pipe, source, "can't evaluate field %.*s in type %s", SV_ARG(name),
                         tv_type_name(of));
}

static int eval_arg(struct texec *x, const struct tpipe *pipe, const struct targ *arg,
                    const struct tvalue *dot, const struct tvalue *args, size_t n_args,
                    struct tvalue *ret);

/* and, or: the first deciding operand, later ones are not evaluated. */
static int eval_and_or(struct texec *x, const struct tpipe *pipe, const struct tcommand *c,
                       const struct tvalue *dot, const struct tvalue *piped, struct tvalue *ret)
{
    bool stop_on = c->args[0].name.p[0] == 'o';
    size_t n = c->n_args - 1 + (piped != NULL);
    if (n == 0)
        return texec_fail_at(x, pipe, c->source,
                             "wrong number of args for %.*s: want at least 1 got 0",
                             SV_ARG(c->args[0].name));
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < c->n_args) {
            int r = eval_arg(x, pipe, &c->args[i + 1], dot, NULL, 0, ret);
            if (r < 0)
                return r;
        } else {
            *ret = *piped;
        }
        if (tv_truth(ret) == stop_on)
            break;
    }
    return 0;
}

static int eval_command(struct texec *x, const struct tpipe *pipe, const struct tcommand *c,
                        const struct tvalue *dot, const struct tvalue *piped, struct tvalue *ret)
{
    const struct targ *first = &c->args[0];
    struct tvalue args[MAX_ARGS];
    size_t n = 0;
    int r = texec_step(x);
    if (r < 0)
        return r;
    if (first->kind == TARG_FUNC && !first->func->fn)
        return eval_and_or(x, pipe, c, dot, piped, ret);
    if (first->kind == TARG_NIL)
        return texec_fail_at(x, pipe, c->source, "nil is not a command");
    if (c->n_args > MAX_ARGS)
        return texec_fail_at(x, pipe, c->source, "more than %d arguments", MAX_ARGS - 1);
    for (size_t i = 1; i < c->n_args; i++) {
        r = eval_arg(x, pipe, &c->args[i], dot, NULL, 0, &args[n++]);
        if (r < 0)
            return r;
    }
    if (piped)
        args[n++] = *piped;
    if (first->kind == TARG_FUNC && !first->n_fields)
        return texec_call_func(x, pipe, first, c->source, args, n, ret);
    bool chain = first->kind == TARG_FIELD || first->n_fields;
    if (n && !chain)
        return texec_fail_at(x, pipe, c->source, "can't give argument to non-function %.*s",
                             SV_ARG(first->source));
    return eval_arg(x, pipe, first, dot, args, n, ret);
}

/* The value that a chain starts from. */
static int eval_base(struct texec *x, const struct tpipe *pipe, const struct targ *arg,
                     const struct tvalue *dot, struct tvalue *ret)
{
    switch (arg->kind) {
    case TARG_DOT:
    case TARG_FIELD:
        *ret = dot ? *dot : *root_map(x);
        return 0;
    case TARG_NIL:
        *ret = TV_NIL;
        return 0;
    case TARG_CONST:
        *ret = arg->value;
        return 0;
    case TARG_VAR:
        if (sv_eq(arg->name, SV("$"))) {
            struct variable *v = texec_find_var(x, arg->name);
            *ret = v ? v->value : *root_map(x);
            return 0;
        }
        return texec_get_var(x, pipe, arg->name, ret);
    case TARG_FUNC:
        if (!arg->func->fn) /* and, or */
            return texec_fail_at(x, pipe, arg->source,
                                 "wrong number of args for %.*s: want at least 1 got 0",
                                 SV_ARG(arg->name));
        return texec_call_func(x, pipe, arg, arg->source, NULL, 0, ret);
    case TARG_PIPE:
        return texec_eval_pipe(x, arg->pipe, dot, ret);
    }
    return 0;
}

static int eval_arg(struct texec *x, const struct tpipe *pipe, const struct targ *arg,
                    const struct tvalue *dot, const struct tvalue *args, size_t n_args,
                    struct tvalue *ret)
{
    size_t i = 0;
    bool of_root = arg->kind == TARG_FIELD ? dot == DOT_IS_ROOT
                                           : arg->kind == TARG_VAR && sv_eq(arg->name, SV("$")) &&
                                                 !texec_find_var(x, arg->name);
    if (of_root && n_args && arg->n_fields == 1) { /* it fails, whatever the labels are */
        struct tvalue none = {.kind = TK_MAP, .of_text = true};
        return eval_field(x, pipe, arg->source, &none, arg->fields[0], args, n_args, ret);
    }
    if (of_root && arg->n_fields) {
        *ret = label_value(x, arg->fields[i++]);
    } else {
        int r = eval_base(x, pipe, arg, dot, ret);
        if (r < 0)
            return r;
    }
    for (; i < arg->n_fields; i++) {
        struct tvalue of = *ret;
        bool last = i + 1 == arg->n_fields;
        int r = eval_field(x, pipe, arg->source, &of, arg->fields[i], last ? args : NULL,
                           last ? n_args : 0, ret);
        if (r < 0)
            return r;
    }
    return 0;
}

int texec_eval_pipe(struct texec *x, const struct tpipe *pipe, const struct tvalue *dot,
                    struct tvalue *ret)
{
    struct tvalue value = TV_NIL, piped;
    const struct tvalue *given = NULL;
    for (const struct tcommand *c = pipe->commands; c; c = c->next) {
        int r = eval_command(x, pipe, c, dot, given, &value);
        if (r < 0)
            return r;
        piped = value;
        piped.literal = piped.inside = false;
        given = &piped;
    }
    *ret = value;
    ret->inside = false;
    return 0;
}
