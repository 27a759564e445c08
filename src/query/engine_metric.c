/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engine_impl.h"

/* Leaves of one selector are filled by one scan, unless their times lie far apart. */
struct leaves {
    struct scan_query *v;
    struct pipeline **pipelines; /* NULL: no time of the leaf can hold an entry */
    bool *done;
    size_t n;
};

static bool same_selector(const struct log_query *a, const struct log_query *b)
{
    if (a->n_matchers != b->n_matchers)
        return false;
    for (size_t i = 0; i < a->n_matchers; i++)
        if (a->matchers[i].op != b->matchers[i].op ||
            !sv_eq(a->matchers[i].name, b->matchers[i].name) ||
            !sv_eq(a->matchers[i].value, b->matchers[i].value))
            return false;
    return true;
}

/* Moves leaves of that one's selector into `out`. */
static size_t take_alike(struct leaves *l, size_t first, struct scan_query *out,
                         struct time_span *ret_within)
{
    size_t n = 0;
    *ret_within = l->v[first].within;
    for (size_t i = first; i < l->n; i++) {
        if (l->done[i] || !l->v[i].pipeline || !spans_touch(*ret_within, l->v[i].within) ||
            !same_selector(&l->v[i].agg->agg->log, &l->v[first].agg->agg->log))
            continue;
        l->done[i] = true;
        out[n++] = l->v[i];
        *ret_within = span_hull(*ret_within, l->v[i].within);
    }
    return n;
}

static int scan_all(const struct query_env *env, struct leaves *l, struct err *err)
{
    struct scan_query *alike = mem_zalloc(l->n + 1, sizeof *alike);
    int r = 0;
    for (size_t i = 0; i < l->n && r == 0; i++) {
        if (l->done[i] || !l->v[i].pipeline)
            continue;
        const struct log_query *log = &l->v[i].agg->agg->log;
        struct selection_query q = {.matchers = log->matchers, .n_matchers = log->n_matchers};
        size_t n = take_alike(l, i, alike, &q.within);
        r = engine_scan(env, &q, PLAN_OLDEST_FIRST, alike, n, err);
    }
    free(alike);
    return r;
}

static int add_leaf(const struct query_env *env, struct leaves *l, struct eval_leaf *from,
                    struct err *err)
{
    struct scan_query *q = &l->v[l->n++];
    *q = (struct scan_query){.agg = from, .leaf = &from->leaf};
    if (!range_leaf_bounds(&from->leaf, &q->within.min_ns, &q->within.max_ns))
        return 0;
    struct pipeline *p;
    int r = pipeline_new(&p, &from->agg->log, &from->agg->unwrap, &from->need, env->control, err);
    if (r == 0)
        q->pipeline = l->pipelines[l->n - 1] = p;
    return r;
}

static int fill_leaves(const struct query_env *env, struct eval *e, struct err *err)
{
    size_t n = eval_n_leaves(e);
    struct leaves l = {.v = mem_zalloc(n + 1, sizeof *l.v),
                       .pipelines = mem_zalloc(n + 1, sizeof(void *)),
                       .done = mem_zalloc(n + 1, 1)};
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_leaf(env, &l, eval_leaf(e, i), err);
    if (r == 0)
        r = scan_all(env, &l, err);
    for (size_t i = 0; i < l.n; i++)
        pipeline_free(l.pipelines[i]);
    free(l.v);
    free(l.pipelines);
    free(l.done);
    return r;
}

/* Joins what one of the tenants has into the leaves of `to`. */
static int add_tenant(struct eval *to, const struct query_env *env, const struct logql_expr *expr,
                      const struct eval_grid *grid, const struct eval_options *options,
                      struct err *err)
{
    struct eval *one;
    int r = eval_new(&one, expr, grid, env->control, options, err);
    if (r < 0)
        return r;
    r = fill_leaves(env, one, err);
    for (size_t i = 0; i < eval_n_leaves(one) && r == 0; i++)
        r = range_leaf_merge_tenant(&eval_leaf(to, i)->leaf, &eval_leaf(one, i)->leaf, env->tenant,
                                    err);
    eval_free(one);
    return r;
}

int engine_metric(const struct query_env *envs, size_t n_envs, const struct logql_expr *expr,
                  const struct eval_grid *grid, const struct eval_options *options,
                  struct eval **ret_eval, const struct eval_result **ret, struct err *err)
{
    *ret_eval = NULL;
    struct eval *e;
    int r = eval_new(&e, expr, grid, envs[0].control, options, err);
    if (r < 0)
        return r;
    if (n_envs == 1)
        r = fill_leaves(envs, e, err);
    for (size_t i = 0; n_envs > 1 && i < n_envs && r == 0; i++)
        r = add_tenant(e, &envs[i], expr, grid, options, err);
    if (r == 0)
        r = eval_run(e, ret, err);
    if (r < 0)
        eval_free(e);
    else
        *ret_eval = e;
    return r;
}
