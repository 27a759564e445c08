/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "logql/template_ast.h"
#include "logql/template_func.h"
#include "regex/regex.h"

enum {
    MAX_STEPS = 100000,   /* nodes and commands of one execution: a bomb ends here */
    MAX_CALL_DEPTH = 100, /* {{template}} inside {{template}} */
    MAX_ARGS = 64,
    /* In units of the longest text: what all functions together may go through, and keep. */
    MAX_READ_TEXTS = 32,
    MAX_KEPT_TEXTS = 16,
    KEPT_BYTES_MIN = 4 << 20,
};

struct variable {
    struct str_view name;
    struct tvalue value;
};

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct exec {
    const struct template *t;
    struct tcall call;
    struct buf *out;
    size_t base; /* out->len at the start */
    size_t steps;
    size_t read_bytes;  /* that functions went through */
    size_t arena_bytes; /* at the start */
    unsigned call_depth;
    struct variable *vars; /* scopes end by cutting */
    size_t n_vars, cap_vars;
    struct tvalue root;
    bool has_root; /* the map of all labels was made */
};

static int fail_at(struct exec *x, const struct tpipe *pipe, struct str_view source,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int fail_at(struct exec *x, const struct tpipe *pipe, struct str_view source,
                   const char *fmt, ...)
{
    struct err why = ERR_INIT;
    va_list ap;
    va_start(ap, fmt);
    err_setv(&why, ERR_INVALID, fmt, ap);
    va_end(ap);
    return err_set(x->call.err, ERR_INVALID,
                   "template: line:%u:%u: executing \"line\" at <%.*s>: %s", pipe->line, pipe->col,
                   (int)(source.len < 100 ? source.len : 100), source.p, why.text);
}

enum { SEARCH_STEPS = 16, READ_BYTES_PER_SEARCH_STEP = 8 };

/* The scratch's stop hook ends templates too; its owner tells why. */
static bool must_stop(struct exec *x, size_t steps)
{
    return x->call.scratch && regex_scratch_must_stop(x->call.scratch, steps);
}

static int step(struct exec *x)
{
    if (must_stop(x, SEARCH_STEPS))
        return err_set(x->call.err, ERR_CANCELLED, "template: line: stopped");
    if (++x->steps > MAX_STEPS)
        return err_set(x->call.err, ERR_OVER_BUDGET, "template: line: more than %d steps",
                       MAX_STEPS);
    if (x->out->len - x->base > x->call.max_bytes)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: the text would exceed %zu bytes", x->call.max_bytes);
    if (x->read_bytes / MAX_READ_TEXTS > x->call.max_bytes)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: functions went through more than %d times %zu bytes",
                       MAX_READ_TEXTS, x->call.max_bytes);
    size_t kept = x->call.arena->used_bytes - x->arena_bytes;
    if (kept > KEPT_BYTES_MIN && kept / MAX_KEPT_TEXTS > x->call.max_bytes)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: values take more than %d times %zu bytes", MAX_KEPT_TEXTS,
                       x->call.max_bytes);
    return 0;
}

static void set_var(struct exec *x, struct str_view name, struct tvalue v)
{
    x->vars = mem_grow(x->vars, &x->cap_vars, x->n_vars + 1, sizeof *x->vars);
    x->vars[x->n_vars++] = (struct variable){name, v};
}

static struct variable *find_var(struct exec *x, struct str_view name)
{
    for (size_t i = x->n_vars; i-- > 0;)
        if (sv_eq(x->vars[i].name, name))
            return &x->vars[i];
    return NULL;
}

/* The parser lets a variable of one branch be named in the other, where it has no value. */
static int undefined_var(struct exec *x, const struct tpipe *pipe, struct str_view name)
{
    return fail_at(x, pipe, name, "undefined variable: %.*s", SV_ARG(sv_sub(name, 0, 200)));
}

static int get_var(struct exec *x, const struct tpipe *pipe, struct str_view name,
                   struct tvalue *ret)
{
    const struct variable *v = find_var(x, name);
    if (!v)
        return undefined_var(x, pipe, name);
    *ret = v->value;
    return 0;
}

/* Declares the i-th variable of the pipe, or assigns to it. */
static int put_var(struct exec *x, const struct tpipe *pipe, size_t i, struct tvalue value)
{
    if (!pipe->assigns) {
        set_var(x, pipe->vars[i], value);
        return 0;
    }
    struct variable *v = find_var(x, pipe->vars[i]);
    if (!v)
        return undefined_var(x, pipe, pipe->vars[i]);
    v->value = value;
    return 0;
}

/* The map of all labels, made when it is wanted whole. */
static const struct tvalue *root_map(struct exec *x)
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

/* "." at the top is not materialised until somebody looks at it whole. */
#define DOT_IS_ROOT NULL

static struct tvalue label_value(struct exec *x, struct str_view name)
{
    struct str_view v = SV_EMPTY;
    x->call.data->get(x->call.data->ctx, name, &v);
    return tv_string(v);
}

static int time_method(struct exec *x, const struct gotime *t, struct str_view name,
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
static int eval_field(struct exec *x, const struct tpipe *pipe, struct str_view source,
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
        return fail_at(x, pipe, source, "%.*s is not a method but has arguments", SV_ARG(name));
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
        return fail_at(x, pipe, source, "nil pointer evaluating interface {}.%.*s", SV_ARG(name));
    return fail_at(x, pipe, source, "can't evaluate field %.*s in type %s", SV_ARG(name),
                   tv_type_name(of));
}

static int eval_pipe(struct exec *x, const struct tpipe *pipe, const struct tvalue *dot,
                     struct tvalue *ret);

static int eval_arg(struct exec *x, const struct tpipe *pipe, const struct targ *arg,
                    const struct tvalue *dot, const struct tvalue *args, size_t n_args,
                    struct tvalue *ret);

/* --- function calls --- */

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

static void count_text(struct exec *x, const struct tfunc *f, const struct tvalue *args, size_t n,
                       const struct tvalue *result)
{
    size_t before = x->read_bytes;
    for (size_t i = 0; i < n && tfunc_reads_text(f); i++)
        if (args[i].kind == TK_STRING)
            x->read_bytes += args[i].s.len;
    if (result->kind == TK_STRING)
        x->read_bytes += result->s.len;
    must_stop(x, (x->read_bytes - before) / READ_BYTES_PER_SEARCH_STEP);
}

static int call_func(struct exec *x, const struct tpipe *pipe, const struct targ *callee,
                     struct str_view source, struct tvalue *args, size_t n, struct tvalue *ret)
{
    const struct tfunc *f = callee->func;
    size_t want = strlen(f->types), least = f->many ? want - 1 : want;
    if (n < least || (n > want && !f->many))
        return fail_at(x, pipe, source, "wrong number of args for %s: want %s%zu got %zu", f->name,
                       f->many ? "at least " : "", least, n);
    for (size_t i = 0; i < n; i++) {
        char type = f->types[i < want ? i : want - 1];
        struct tvalue given = args[i];
        if (!convert(type, &args[i]))
            return given.kind == TK_NIL
                       ? fail_at(x, pipe, source, "invalid value; expected %s", type_word(type))
                       : fail_at(x, pipe, source, "wrong type for value; expected %s; got %s",
                                 type_word(type), tv_type_name(&given));
    }
    struct err why = ERR_INIT;
    struct err *outer = x->call.err;
    x->call.err = &why;
    int r = f->fn(&x->call, args, n, ret);
    x->call.err = outer;
    if (r < 0)
        return fail_at(x, pipe, source, "error calling %s: %s", f->name, why.text);
    count_text(x, f, args, n, ret);
    return 0;
}

/* and, or: the first deciding operand, later ones are not evaluated. */
static int eval_and_or(struct exec *x, const struct tpipe *pipe, const struct tcommand *c,
                       const struct tvalue *dot, const struct tvalue *piped, struct tvalue *ret)
{
    bool stop_on = c->args[0].name.p[0] == 'o';
    size_t n = c->n_args - 1 + (piped != NULL);
    if (n == 0)
        return fail_at(x, pipe, c->source, "wrong number of args for %.*s: want at least 1 got 0",
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

static int eval_command(struct exec *x, const struct tpipe *pipe, const struct tcommand *c,
                        const struct tvalue *dot, const struct tvalue *piped, struct tvalue *ret)
{
    const struct targ *first = &c->args[0];
    struct tvalue args[MAX_ARGS];
    size_t n = 0;
    int r = step(x);
    if (r < 0)
        return r;
    if (first->kind == TARG_FUNC && !first->func->fn)
        return eval_and_or(x, pipe, c, dot, piped, ret);
    if (first->kind == TARG_NIL)
        return fail_at(x, pipe, c->source, "nil is not a command");
    if (c->n_args > MAX_ARGS)
        return fail_at(x, pipe, c->source, "more than %d arguments", MAX_ARGS - 1);
    for (size_t i = 1; i < c->n_args; i++) {
        r = eval_arg(x, pipe, &c->args[i], dot, NULL, 0, &args[n++]);
        if (r < 0)
            return r;
    }
    if (piped)
        args[n++] = *piped;
    if (first->kind == TARG_FUNC && !first->n_fields)
        return call_func(x, pipe, first, c->source, args, n, ret);
    bool chain = first->kind == TARG_FIELD || first->n_fields;
    if (n && !chain)
        return fail_at(x, pipe, c->source, "can't give argument to non-function %.*s",
                       SV_ARG(first->source));
    return eval_arg(x, pipe, first, dot, args, n, ret);
}

/* The value that a chain starts from. */
static int eval_base(struct exec *x, const struct tpipe *pipe, const struct targ *arg,
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
            struct variable *v = find_var(x, arg->name);
            *ret = v ? v->value : *root_map(x);
            return 0;
        }
        return get_var(x, pipe, arg->name, ret);
    case TARG_FUNC:
        if (!arg->func->fn) /* and, or */
            return fail_at(x, pipe, arg->source,
                           "wrong number of args for %.*s: want at least 1 got 0",
                           SV_ARG(arg->name));
        return call_func(x, pipe, arg, arg->source, NULL, 0, ret);
    case TARG_PIPE:
        return eval_pipe(x, arg->pipe, dot, ret);
    }
    return 0;
}

static int eval_arg(struct exec *x, const struct tpipe *pipe, const struct targ *arg,
                    const struct tvalue *dot, const struct tvalue *args, size_t n_args,
                    struct tvalue *ret)
{
    size_t i = 0;
    bool of_root = arg->kind == TARG_FIELD ? dot == DOT_IS_ROOT
                                           : arg->kind == TARG_VAR && sv_eq(arg->name, SV("$")) &&
                                                 !find_var(x, arg->name);
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

static int eval_pipe(struct exec *x, const struct tpipe *pipe, const struct tvalue *dot,
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

/* Binds the pipe's one variable, when it has one. */
static int bind(struct exec *x, const struct tpipe *pipe, struct tvalue v)
{
    return pipe->n_vars == 1 ? put_var(x, pipe, 0, v) : 0;
}

/* --- nodes --- */

static int exec_list(struct exec *x, const struct tnode *n, const struct tvalue *dot,
                     enum flow *flow);

static int exec_branch(struct exec *x, const struct tnode *n, const struct tvalue *dot,
                       enum flow *flow)
{
    struct tvalue v;
    size_t scope = x->n_vars;
    int r = eval_pipe(x, n->pipe, dot, &v);
    if (r == 0)
        r = bind(x, n->pipe, v);
    if (r < 0)
        return r;
    if (tv_truth(&v))
        r = exec_list(x, n->body, n->kind == TNODE_WITH ? &v : dot, flow);
    else
        r = exec_list(x, n->otherwise, dot, flow);
    x->n_vars = scope;
    return r;
}

/* Number of rounds of a range, or < 0 when the value cannot be ranged over. */
static int64_t n_rounds(const struct tvalue *v)
{
    switch (v->kind) {
    case TK_LIST:
        return (int64_t)v->list.n;
    case TK_MAP:
        return (int64_t)v->map.n;
    case TK_INT:
        return v->i > 0 ? v->i : 0;
    case TK_NIL:
        return 0;
    default:
        return -1;
    }
}

static void round_values(const struct tvalue *v, size_t i, struct tvalue *key, struct tvalue *value)
{
    *key = tv_int((int64_t)i);
    if (v->kind == TK_LIST) {
        *value = v->list.v[i];
    } else if (v->kind == TK_MAP) {
        *key = tv_string(v->map.v[i].key);
        *value = v->map.v[i].value;
    } else {
        *value = *key;
    }
    value->inside = true;
}

static int bind_round(struct exec *x, const struct tpipe *pipe, struct tvalue key,
                      struct tvalue value)
{
    struct tvalue given[2] = {pipe->n_vars == 2 ? key : value, value};
    int r = 0;
    for (size_t i = 0; r == 0 && i < pipe->n_vars; i++)
        r = put_var(x, pipe, i, given[i]);
    return r;
}

static int exec_range(struct exec *x, const struct tnode *n, const struct tvalue *dot)
{
    struct tvalue over;
    int r = eval_pipe(x, n->pipe, dot, &over);
    if (r < 0)
        return r;
    int64_t rounds = n_rounds(&over);
    if (rounds < 0)
        return fail_at(x, n->pipe, n->pipe->source, "range can't iterate over %.*s",
                       SV_ARG(sv_sub(tv_text(x->call.arena, &over), 0, 200)));
    enum flow flow = FLOW_ON;
    size_t scope = x->n_vars;
    for (size_t i = 0; r == 0 && i < n->pipe->n_vars; i++)
        r = put_var(x, n->pipe, i, over);
    if (rounds == 0) {
        r = r < 0 ? r : exec_list(x, n->otherwise, dot, &flow);
        x->n_vars = scope;
        return r;
    }
    for (int64_t i = 0; r == 0 && i < rounds && flow != FLOW_BREAK; i++) {
        struct tvalue key, value;
        round_values(&over, (size_t)i, &key, &value);
        r = bind_round(x, n->pipe, key, value);
        flow = FLOW_ON;
        if (r == 0)
            r = exec_list(x, n->body, &value, &flow);
        x->n_vars = scope;
        if (r == 0)
            r = step(x);
    }
    return r;
}

static int exec_call(struct exec *x, const struct tnode *n, const struct tvalue *dot)
{
    const struct tdefinition *d = find_definition(x->t, n->text);
    if (!d)
        return err_set(x->call.err, ERR_INVALID, "template: line: template \"%.*s\" not defined",
                       SV_ARG(n->text));
    if (++x->call_depth > MAX_CALL_DEPTH)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: exceeded maximum template depth (%d)", MAX_CALL_DEPTH);
    struct tvalue v = TV_NIL;
    int r = n->pipe ? eval_pipe(x, n->pipe, dot, &v) : 0;
    struct variable *outer = x->vars;
    size_t n_outer = x->n_vars, cap_outer = x->cap_vars;
    x->vars = NULL;
    x->n_vars = x->cap_vars = 0;
    set_var(x, SV("$"), v);
    enum flow flow = FLOW_ON;
    if (r == 0)
        r = exec_list(x, d->body, &v, &flow);
    free(x->vars);
    x->vars = outer;
    x->n_vars = n_outer;
    x->cap_vars = cap_outer;
    x->call_depth--;
    return r;
}

static int exec_action(struct exec *x, const struct tnode *n, const struct tvalue *dot)
{
    if (n->field.len && dot == DOT_IS_ROOT) { /* the common case: {{.name}} */
        struct str_view v = SV_EMPTY;
        x->call.data->get(x->call.data->ctx, n->field, &v);
        buf_put(x->out, v);
        return 0;
    }
    struct tvalue v;
    int r = eval_pipe(x, n->pipe, dot, &v);
    if (r < 0)
        return r;
    if (n->pipe->n_vars)
        return bind(x, n->pipe, v);
    tv_print(x->out, &v);
    return 0;
}

static int exec_list(struct exec *x, const struct tnode *n, const struct tvalue *dot,
                     enum flow *flow)
{
    size_t scope = x->n_vars;
    int r = 0;
    for (; r == 0 && n && *flow == FLOW_ON; n = n->next) {
        r = step(x);
        if (r < 0)
            break;
        switch (n->kind) {
        case TNODE_TEXT:
            buf_put(x->out, n->text);
            break;
        case TNODE_ACTION:
            r = exec_action(x, n, dot);
            break;
        case TNODE_IF:
        case TNODE_WITH:
            r = exec_branch(x, n, dot, flow);
            break;
        case TNODE_RANGE:
            r = exec_range(x, n, dot);
            break;
        case TNODE_CALL:
            r = exec_call(x, n, dot);
            break;
        case TNODE_BREAK:
            *flow = FLOW_BREAK;
            break;
        case TNODE_CONTINUE:
            *flow = FLOW_CONTINUE;
            break;
        }
    }
    x->n_vars = scope;
    return r;
}

int template_exec(const struct template *t, const struct template_data *data, struct arena *a,
                  struct regex_scratch *scratch, struct buf *out, size_t max_out_bytes,
                  struct err *err)
{
    struct exec x = {
        .t = t,
        .call = {a, scratch, data, max_out_bytes, err},
        .out = out,
        .base = out->len,
        .arena_bytes = a->used_bytes,
    };
    enum flow flow = FLOW_ON;
    int r = exec_list(&x, t->body, DOT_IS_ROOT, &flow);
    if (r == 0)
        r = step(&x); /* the last piece may have gone over */
    free(x.vars);
    return r;
}
