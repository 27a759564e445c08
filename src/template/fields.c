/* SPDX-License-Identifier: Apache-2.0 */
/* Which labels a template reads. */
#include "template/ast.h"

struct fields_walk {
    void (*fn)(void *ctx, struct str_view name);
    void *ctx;
    bool all;
    bool dot_moved; /* inside with and range "." is something else */
};

static void walk_pipe(struct fields_walk *w, const struct tpipe *pipe);

static void walk_arg(struct fields_walk *w, const struct targ *arg)
{
    bool root = arg->kind == TARG_FIELD || (arg->kind == TARG_VAR && sv_eq(arg->name, SV("$")));
    if (arg->kind == TARG_PIPE)
        walk_pipe(w, arg->pipe);
    else if (root && arg->n_fields)
        w->fn(w->ctx, arg->fields[0]); /* under a moved dot it names too much, never too little */
    else if ((arg->kind == TARG_DOT && !w->dot_moved) || root)
        w->all = true;
}

static void walk_pipe(struct fields_walk *w, const struct tpipe *pipe)
{
    for (const struct tcommand *c = pipe ? pipe->commands : NULL; c; c = c->next)
        for (size_t i = 0; i < c->n_args; i++)
            walk_arg(w, &c->args[i]);
}

static void walk_nodes(struct fields_walk *w, const struct tnode *n)
{
    for (; n; n = n->next) {
        bool moved = w->dot_moved;
        walk_pipe(w, n->pipe);
        w->dot_moved |= n->kind == TNODE_WITH || n->kind == TNODE_RANGE;
        walk_nodes(w, n->body);
        w->dot_moved = moved;
        walk_nodes(w, n->otherwise);
    }
}

bool template_fields(const struct template *t, void (*fn)(void *ctx, struct str_view name),
                     void *ctx)
{
    struct fields_walk w = {.fn = fn, .ctx = ctx};
    for (const struct tdefinition *d = t->definitions; d; d = d->next)
        walk_nodes(&w, d->body);
    return !w.all;
}
