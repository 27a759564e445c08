/* SPDX-License-Identifier: Apache-2.0 */
/* Vector aggregations (logql.md 4.5), one step at a time.  Groups keep the order in which the
 * input, which is in label order at the leaves, first names them. */
#include <math.h>

#include "query/metric/eval_impl.h"

struct agg_group {
    uint32_t series;
    uint64_t n;
    double value; /* sum, mean, min, max */
    double squares;
    struct eval_vec members; /* topk, bottomk */
};

void vector_agg_deinit(struct eval_node *n)
{
    for (size_t i = 0; i < n->cap_groups; i++)
        free(n->groups[i].members.v);
    free(n->groups);
    n->groups = NULL;
    n->cap_groups = 0;
}

size_t vector_agg_mem_bytes(const struct eval_node *n)
{
    size_t bytes = n->cap_groups * sizeof *n->groups;
    for (size_t i = 0; i < n->n_groups; i++)
        bytes += n->groups[i].members.cap * sizeof *n->groups[i].members.v;
    return bytes;
}

static struct agg_group *group_of(struct eval *e, struct eval_node *n, uint32_t series)
{
    uint32_t *key = series_map_at(&n->map_left, series);
    if (*key == NO_SERIES) {
        const struct grouping *g = &n->expr->vector_agg.grouping;
        uint32_t reduced = eval_reduce(e, series, g->names, !g->without);
        *key = reduced;
    }
    uint32_t slot = step_slots_get(&n->slots, *key);
    if (slot != NO_SERIES)
        return &n->groups[slot];
    if (n->n_groups == n->cap_groups) {
        size_t before = n->cap_groups;
        n->groups = mem_grow(n->groups, &n->cap_groups, n->n_groups + 1, sizeof *n->groups);
        memset(n->groups + before, 0, (n->cap_groups - before) * sizeof *n->groups);
    }
    step_slots_set(&n->slots, *key, (uint32_t)n->n_groups);
    struct agg_group *g = &n->groups[n->n_groups++];
    struct eval_vec members = g->members; /* keeps its memory */
    members.n = 0;
    *g = (struct agg_group){.series = *key, .members = members};
    return g;
}

static void add_mean(struct agg_group *g, double v)
{
    double m = g->value, n = (double)g->n;
    if (isinf(m) && (isinf(v) ? (m > 0) == (v > 0) : !isnan(v)))
        return;
    g->value = m + (v / n - m / n);
}

static void add_variance(struct agg_group *g, double v)
{
    double d = v - g->value;
    g->value += d / (double)g->n;
    g->squares += d * (v - g->value);
}

static void add_sample(struct agg_group *g, enum vector_op op, const struct eval_sample *s)
{
    g->n++;
    bool first = g->n == 1;
    double v = s->value;
    switch (op) {
    case VECTOR_SUM:
        g->value = first ? v : g->value + v;
        break;
    case VECTOR_AVG:
        add_mean(g, v);
        break;
    case VECTOR_MIN:
        if (first || v < g->value || isnan(g->value))
            g->value = v;
        break;
    case VECTOR_MAX:
        if (first || v > g->value || isnan(g->value))
            g->value = v;
        break;
    case VECTOR_STDDEV:
    case VECTOR_STDVAR:
        add_variance(g, v);
        break;
    case VECTOR_TOPK:
    case VECTOR_BOTTOMK:
    case VECTOR_APPROX_TOPK:
        vec_put(&g->members, s->series, v);
        break;
    default:
        break;
    }
}

static double group_value(const struct agg_group *g, enum vector_op op)
{
    switch (op) {
    case VECTOR_COUNT:
        return (double)g->n;
    case VECTOR_STDDEV:
        return sqrt(g->squares / (double)g->n);
    case VECTOR_STDVAR:
        return g->squares / (double)g->n;
    default:
        return g->value;
    }
}

/* An order of values, NaN last in both directions.  Ties go by labels where a set is given, else
 * they stay. */
struct ranked {
    struct eval_sample s;
    size_t at;
};

static int tie(const struct ranked *x, const struct ranked *y, const struct series_set *by_labels)
{
    int c = by_labels ? labels_cmp(series_set_labels(by_labels, x->s.series),
                                   series_set_labels(by_labels, y->s.series))
                      : 0;
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int rising(const void *a, const void *b, void *by_labels)
{
    const struct ranked *x = a, *y = b;
    bool x_nan = isnan(x->s.value), y_nan = isnan(y->s.value);
    if (x_nan != y_nan)
        return x_nan ? 1 : -1;
    if (!x_nan && x->s.value != y->s.value)
        return x->s.value < y->s.value ? -1 : 1;
    return tie(x, y, by_labels);
}

static int falling(const void *a, const void *b, void *by_labels)
{
    const struct ranked *x = a, *y = b;
    bool x_nan = isnan(x->s.value), y_nan = isnan(y->s.value);
    if (x_nan != y_nan)
        return x_nan ? 1 : -1;
    if (!x_nan && x->s.value != y->s.value)
        return x->s.value > y->s.value ? -1 : 1;
    return tie(x, y, by_labels);
}

static void put_ranked(struct eval_vec *out, const struct eval_vec *in, bool largest_first,
                       size_t at_most, struct series_set *by_labels)
{
    struct ranked *v = mem_alloc((in->n + 1) * sizeof *v);
    for (size_t i = 0; i < in->n; i++)
        v[i] = (struct ranked){in->v[i], i};
    qsort_r(v, in->n, sizeof *v, largest_first ? falling : rising, by_labels);
    for (size_t i = 0; i < in->n && i < at_most; i++)
        vec_put(out, v[i].s.series, v[i].s.value);
    free(v);
}

int vector_agg_step(struct eval *e, struct eval_node *n, struct err *err)
{
    const struct eval_vec *in = &e->nodes[n->left].out;
    enum vector_op op = n->expr->vector_agg.op;
    if (op == VECTOR_SORT || op == VECTOR_SORT_DESC) {
        put_ranked(&n->out, in, op == VECTOR_SORT_DESC, SIZE_MAX, NULL);
        return 0;
    }
    step_slots_clear(&n->slots);
    n->n_groups = 0;
    for (size_t i = 0; i < in->n; i++) {
        add_sample(group_of(e, n, in->v[i].series), op, &in->v[i]);
        int r = eval_check(e, err);
        if (r < 0)
            return r;
    }
    bool ranks = op == VECTOR_TOPK || op == VECTOR_BOTTOMK || op == VECTOR_APPROX_TOPK;
    for (size_t i = 0; i < n->n_groups; i++) {
        const struct agg_group *g = &n->groups[i];
        if (ranks)
            put_ranked(&n->out, &g->members, op != VECTOR_BOTTOMK, (size_t)n->expr->vector_agg.k,
                       &e->set);
        else
            vec_put(&n->out, g->series, group_value(g, op));
    }
    return 0;
}
