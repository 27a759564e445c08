/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engine.h"

#include "query/scan/scan.h"
#include "query/several.h"

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

static struct time_span hull(struct time_span a, struct time_span b)
{
    return (struct time_span){a.min_ns < b.min_ns ? a.min_ns : b.min_ns,
                              a.max_ns > b.max_ns ? a.max_ns : b.max_ns};
}

static bool overlap(struct time_span a, struct time_span b)
{
    return a.min_ns <= b.max_ns && b.min_ns <= a.max_ns;
}

/* Moves leaves of that one's selector into `out`. */
static size_t take_group(struct leaves *l, size_t first, struct scan_query *out,
                         struct time_span *ret_within)
{
    size_t n = 0;
    *ret_within = l->v[first].within;
    for (size_t i = first; i < l->n; i++) {
        if (l->done[i] || !l->v[i].pipeline || !overlap(*ret_within, l->v[i].within) ||
            !same_selector(&l->v[i].agg->agg->log, &l->v[first].agg->agg->log))
            continue;
        l->done[i] = true;
        out[n++] = l->v[i];
        *ret_within = hull(*ret_within, l->v[i].within);
    }
    return n;
}

static int scan_group(const struct query_env *env, const struct scan_query *group, size_t n,
                      struct time_span within, struct err *err)
{
    const struct log_query *log = &group[0].agg->agg->log;
    struct plan_query q = {log->matchers, log->n_matchers, within, PLAN_OLDEST_FIRST};
    struct plan plan;
    int r = plan_open(&plan, env, &q, err);
    if (r == 0)
        r = scan_run(&plan, group, n, err);
    plan_close(&plan);
    return r;
}

static int scan_groups(const struct query_env *env, struct leaves *l, struct err *err)
{
    struct scan_query *group = mem_zalloc(l->n + 1, sizeof *group);
    struct time_span within;
    int r = 0;
    for (size_t i = 0; i < l->n && r == 0; i++) {
        if (l->done[i] || !l->v[i].pipeline)
            continue;
        size_t n = take_group(l, i, group, &within);
        r = scan_group(env, group, n, within, err);
    }
    free(group);
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
        r = scan_groups(env, &l, err);
    for (size_t i = 0; i < l.n; i++)
        pipeline_free(l.pipelines[i]);
    free(l.v);
    free(l.pipelines);
    free(l.done);
    return r;
}

/* Over leaves that are filled; `filled` < 0: they could not be, and that is the result. */
static int compute(int filled, struct eval *take_e, struct eval **ret_eval,
                   const struct eval_result **ret, struct err *err)
{
    int r = filled < 0 ? filled : eval_run(take_e, ret, err);
    if (r < 0)
        eval_free(take_e);
    else
        *ret_eval = take_e;
    return r;
}

int engine_metric(const struct query_env *env, const struct logql_expr *expr,
                  const struct eval_grid *grid, const struct eval_options *options,
                  struct eval **ret_eval, const struct eval_result **ret, struct err *err)
{
    *ret_eval = NULL;
    struct eval *e;
    int r = eval_new(&e, expr, grid, env->control, options, err);
    if (r < 0)
        return r;
    return compute(fill_leaves(env, e, err), e, ret_eval, ret, err);
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

int engine_metric_of_tenants(const struct query_env *envs, size_t n_envs,
                             const struct logql_expr *expr, const struct eval_grid *grid,
                             const struct eval_options *options, struct arena *arena,
                             struct eval **ret_eval, const struct eval_result **ret,
                             struct err *err)
{
    *ret_eval = NULL;
    struct eval *e;
    int r = eval_new(&e, expr, grid, envs[0].control, options, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n_envs && r == 0; i++) {
        const struct logql_expr *own;
        r = several_expr(arena, expr, envs[i].tenant, &own, err);
        if (r == 0)
            r = add_tenant(e, &envs[i], own, grid, options, err);
    }
    return compute(r, e, ret_eval, ret, err);
}
