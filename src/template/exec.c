/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the nodes of a template and writes text: if, with, range with break and continue, and
 * {{template}} with variables of its own.  A variable ends with the list of nodes that declared it:
 * its stack is cut back there. */
#include "template/exec_impl.h"

enum { MAX_CALL_DEPTH = 100 }; /* {{template}} inside {{template}} */

int texec_fail_at(struct texec *x, const struct tpipe *pipe, struct str_view source,
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

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

static int exec_list(struct texec *x, const struct tnode *n, const struct tvalue *dot,
                     enum flow *flow);

/* Binds the pipe's one variable, when it has one. */
static int bind(struct texec *x, const struct tpipe *pipe, struct tvalue v)
{
    return pipe->n_vars == 1 ? texec_put_var(x, pipe, 0, v) : 0;
}

static int exec_branch(struct texec *x, const struct tnode *n, const struct tvalue *dot,
                       enum flow *flow)
{
    struct tvalue v;
    size_t scope = x->n_vars;
    int r = texec_eval_pipe(x, n->pipe, dot, &v);
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

static int bind_round(struct texec *x, const struct tpipe *pipe, struct tvalue key,
                      struct tvalue value)
{
    struct tvalue given[2] = {pipe->n_vars == 2 ? key : value, value};
    int r = 0;
    for (size_t i = 0; r == 0 && i < pipe->n_vars; i++)
        r = texec_put_var(x, pipe, i, given[i]);
    return r;
}

static int exec_range(struct texec *x, const struct tnode *n, const struct tvalue *dot)
{
    struct tvalue over;
    int r = texec_eval_pipe(x, n->pipe, dot, &over);
    if (r < 0)
        return r;
    int64_t rounds = n_rounds(&over);
    if (rounds < 0)
        return texec_fail_at(x, n->pipe, n->pipe->source, "range can't iterate over %.*s",
                             SV_ARG(sv_sub(tv_text(x->call.arena, &over), 0, 200)));
    enum flow flow = FLOW_ON;
    size_t scope = x->n_vars;
    for (size_t i = 0; r == 0 && i < n->pipe->n_vars; i++)
        r = texec_put_var(x, n->pipe, i, over);
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
            r = texec_step(x);
    }
    return r;
}

static int exec_call(struct texec *x, const struct tnode *n, const struct tvalue *dot)
{
    const struct tdefinition *d = find_definition(x->t, n->text);
    if (!d)
        return err_set(x->call.err, ERR_INVALID, "template: line: template \"%.*s\" not defined",
                       SV_ARG(n->text));
    if (++x->call_depth > MAX_CALL_DEPTH)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: exceeded maximum template depth (%d)", MAX_CALL_DEPTH);
    struct tvalue v = TV_NIL;
    int r = n->pipe ? texec_eval_pipe(x, n->pipe, dot, &v) : 0;
    struct variable *outer = x->vars;
    size_t n_outer = x->n_vars, cap_outer = x->cap_vars;
    x->vars = NULL;
    x->n_vars = x->cap_vars = 0;
    texec_set_var(x, SV("$"), v);
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

static int exec_action(struct texec *x, const struct tnode *n, const struct tvalue *dot)
{
    if (n->field.len && dot == DOT_IS_ROOT) { /* the common case: {{.name}} */
        struct str_view v = SV_EMPTY;
        x->call.data->get(x->call.data->ctx, n->field, &v);
        buf_put(x->out, v);
        return 0;
    }
    struct tvalue v;
    int r = texec_eval_pipe(x, n->pipe, dot, &v);
    if (r < 0)
        return r;
    if (n->pipe->n_vars)
        return bind(x, n->pipe, v);
    tv_print(x->out, &v);
    return 0;
}

static int exec_list(struct texec *x, const struct tnode *n, const struct tvalue *dot,
                     enum flow *flow)
{
    size_t scope = x->n_vars;
    int r = 0;
    for (; r == 0 && n && *flow == FLOW_ON; n = n->next) {
        r = texec_step(x);
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
    struct texec x = {
        .t = t,
        .call = {a, scratch, data, max_out_bytes, err},
        .out = out,
        .base = out->len,
        .arena_bytes = a->used_bytes,
    };
    enum flow flow = FLOW_ON;
    int r = exec_list(&x, t->body, DOT_IS_ROOT, &flow);
    if (r == 0)
        r = texec_step(&x); /* the last piece may have gone over */
    free(x.vars);
    return r;
}
