/* SPDX-License-Identifier: Apache-2.0 */
/* An expression is evaluated step by step, each step through all operators, and not operator by
 * operator over all steps: what one operator hands to the next is a vector of one instant, and only
 * the result is kept for all of them.  A query of 11,000 steps over thousands of series would else
 * hold a matrix per operator.
 *
 * The tree becomes a list in post-order: a loop over it is one step, and no depth of a query can
 * overrun a thread's stack, neither here nor when it is built or freed.
 *
 * Label sets are numbers of one series_set, and vectors are pairs (number, value).  What an
 * operator makes of a label set (a group, a signature, a replaced label) depends on the set alone,
 * so it is worked out when the set is first met and kept in the operator's series_map: from then on
 * a step compares numbers, not labels.  What is known of a number in one step only (which group,
 * which match) stands in step_slots under the stamp of that step, so that nothing must be cleared.
 *
 * Leaves bring no more labels than the operators above them read (need_of): under sum by (a) a
 * parser need not extract, and a leaf need not tell apart, what differs in other labels.
 *
 * What must hold:
 * - Order comes from the leaves, which are sorted by labels, and each operator keeps it: groups
 *   stand in the order in which they are first met.  Sums of doubles depend on it.
 * - A pointer into a series_map does not outlive the next look-up, which may grow it.
 * - Whatever grows with series or steps is charged (charge_node, take_sample), and every loop over
 *   series counts its work, so that a query can be ended in the middle of a step. */
#include "query/metric/eval.h"

#include <assert.h>

#include "query/metric/eval_impl.h"

/* ---- building ---- */

static struct eval_node *new_node(struct eval *e, const struct logql_expr *expr)
{
    e->nodes = mem_grow(e->nodes, &e->cap_nodes, e->n_nodes + 1, sizeof *e->nodes);
    struct eval_node *n = &e->nodes[e->n_nodes++];
    *n = (struct eval_node){.expr = expr, .left = NO_SERIES, .right = NO_SERIES};
    return n;
}

/* A sum right above these can be taken apart into its groups while entries are read. */
static bool sums_entries(enum range_op op)
{
    return op == RANGE_RATE || op == RANGE_COUNT || op == RANGE_BYTES || op == RANGE_BYTES_RATE ||
           op == RANGE_SUM;
}

static struct label_need need_of(const struct range_agg *agg, const struct logql_expr *parent)
{
    if (agg->op == RANGE_ABSENT)
        return (struct label_need){NEED_BY, {0}, true};
    if (agg->grouping.present)
        return (struct label_need){agg->grouping.without ? NEED_WITHOUT : NEED_BY,
                                   agg->grouping.names, !agg->grouping.without};
    if (parent && parent->kind == LOGQL_VECTOR_AGG && parent->vector_agg.op == VECTOR_SUM &&
        sums_entries(agg->op)) {
        const struct grouping *g = &parent->vector_agg.grouping;
        return (struct label_need){g->without ? NEED_WITHOUT : NEED_BY, g->names, !g->without};
    }
    return (struct label_need){NEED_ALL, {0}, false};
}

static void add_leaf(struct eval *e, struct eval_node *n, const struct logql_expr *parent)
{
    struct eval_leaf *l = mem_zalloc(1, sizeof *l);
    l->agg = &n->expr->range;
    l->need = need_of(l->agg, parent);
    range_leaf_init(&l->leaf, l->agg, &e->grid, e->control);
    e->leaves = mem_grow(e->leaves, &e->cap_leaves, e->n_leaves + 1, sizeof(void *));
    n->leaf = (uint32_t)e->n_leaves;
    e->leaves[e->n_leaves++] = l;
}

static int finish_node(struct eval *e, struct eval_node *n, const struct logql_expr *parent,
                       struct err *err)
{
    switch (n->expr->kind) {
    case LOGQL_LOG:
        return err_set(err, ERR_INVALID, "only metric queries can be evaluated");
    case LOGQL_RANGE_AGG:
        add_leaf(e, n, parent);
        return 0;
    case LOGQL_LITERAL:
        n->is_scalar = true;
        return 0;
    case LOGQL_VECTOR:
        return 0;
    case LOGQL_LABEL_REPLACE:
        if (e->nodes[n->left].is_scalar)
            break;
        return label_replace_init(e, n, err);
    case LOGQL_VECTOR_AGG:
        if (e->nodes[n->left].is_scalar)
            break;
        if (n->expr->vector_agg.op == VECTOR_SORT || n->expr->vector_agg.op == VECTOR_SORT_DESC)
            e->keeps_order = true;
        if (n->expr->vector_agg.op == VECTOR_APPROX_TOPK && !e->options.is_instant)
            return err_set(err, ERR_INVALID,
                           "count min sketches are only supported on instant queries");
        return 0;
    case LOGQL_BINARY:
        n->is_scalar = e->nodes[n->left].is_scalar && e->nodes[n->right].is_scalar;
        return 0;
    }
    return err_set(err, ERR_INVALID, "a number is no vector: use vector(%g)",
                   e->nodes[n->left].expr->number);
}

struct pending {
    const struct logql_expr *expr, *parent;
    bool children_done;
};

static size_t children_of(const struct logql_expr *x, const struct logql_expr *ret[2])
{
    switch (x->kind) {
    case LOGQL_VECTOR_AGG:
        ret[0] = x->vector_agg.inner;
        return 1;
    case LOGQL_LABEL_REPLACE:
        ret[0] = x->label_replace.inner;
        return 1;
    case LOGQL_BINARY:
        ret[0] = x->binary.left;
        ret[1] = x->binary.right;
        return 2;
    default:
        return 0;
    }
}

/* Post-order with a stack of our own: a tree may be deeper than a thread's stack allows. */
static int build(struct eval *e, const struct logql_expr *root, struct err *err)
{
    struct pending *todo = NULL;
    uint32_t *done = NULL;
    size_t n_todo = 0, cap_todo = 0, n_done = 0, cap_done = 0;
    todo = mem_grow(todo, &cap_todo, 1, sizeof *todo);
    todo[n_todo++] = (struct pending){root, NULL, false};
    int r = 0;
    while (n_todo && r == 0) {
        struct pending at = todo[n_todo - 1];
        const struct logql_expr *children[2];
        size_t n = children_of(at.expr, children);
        if (!at.children_done && n) {
            todo[n_todo - 1].children_done = true;
            todo = mem_grow(todo, &cap_todo, n_todo + n, sizeof *todo);
            for (size_t i = n; i-- > 0;)
                todo[n_todo++] = (struct pending){children[i], at.expr, false};
            continue;
        }
        n_todo--;
        struct eval_node *node = new_node(e, at.expr);
        if (n == 2)
            node->right = done[--n_done];
        if (n >= 1)
            node->left = done[--n_done];
        done = mem_grow(done, &cap_done, n_done + 1, sizeof *done);
        done[n_done++] = (uint32_t)e->n_nodes - 1;
        r = finish_node(e, node, at.parent, err);
    }
    free(todo);
    free(done);
    return r;
}

int eval_new(struct eval **ret, const struct logql_expr *expr, const struct eval_grid *grid,
             struct query_control *control, const struct eval_options *options, struct err *err)
{
    struct eval *e = mem_zalloc(1, sizeof *e);
    e->control = control;
    e->options = *options;
    e->grid = *grid;
    series_set_init(&e->set);
    int r = build(e, expr, err);
    if (r < 0) {
        eval_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

void eval_free(struct eval *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->n_nodes; i++) {
        struct eval_node *n = &e->nodes[i];
        free(n->out.v);
        free(n->scratch.v);
        series_map_deinit(&n->map_left);
        series_map_deinit(&n->map_right);
        series_map_deinit(&n->map_result);
        series_map_deinit(&n->map_pair);
        step_slots_deinit(&n->slots);
        step_slots_deinit(&n->used);
        vector_agg_deinit(n);
        regex_unref(n->regex);
    }
    free(e->nodes);
    for (size_t i = 0; i < e->n_leaves; i++) {
        range_leaf_deinit(&e->leaves[i]->leaf);
        free(e->leaves[i]);
    }
    free(e->leaves);
    for (size_t i = 0; i < e->result.n_series; i++)
        free(e->result.series[i].points);
    free(e->result.series);
    series_map_deinit(&e->result_of);
    regex_scratch_free(e->regex_scratch);
    free(e->labels);
    buf_deinit(&e->text);
    series_set_deinit(&e->set);
    if (e->control)
        query_release(e->control, e->charged_bytes);
    free(e);
}

size_t eval_n_leaves(const struct eval *e)
{
    return e->n_leaves;
}

struct eval_leaf *eval_leaf(struct eval *e, size_t i)
{
    return e->leaves[i];
}

/* ---- what it costs ---- */

static int charge(struct eval *e, uint64_t now, uint64_t *charged, struct err *err)
{
    if (!e->control || now <= *charged)
        return 0;
    int r = query_charge(e->control, now - *charged, err);
    if (r == 0) {
        e->charged_bytes += now - *charged;
        *charged = now;
    }
    return r;
}

int eval_spend(struct eval *e, size_t steps, struct err *err)
{
    int r = charge(e, series_set_bytes(&e->set), &e->charged_set_bytes, err);
    e->steps += steps;
    if (r < 0 || e->steps < EVAL_STEPS_PER_ASK || !e->control)
        return r;
    e->steps = 0;
    return query_check(e->control, err);
}

/* What the operator holds for its series beyond their labels. */
static int charge_node(struct eval *e, struct eval_node *n, struct err *err)
{
    uint64_t now = (n->out.cap + n->scratch.cap) * sizeof *n->out.v +
                   (n->map_left.cap + n->map_right.cap + n->map_result.cap + n->map_pair.cap +
                    2 * n->slots.cap_slot + 2 * n->used.cap_slot) *
                       sizeof(uint32_t);
    if (n->cap_groups)
        now += vector_agg_mem_bytes(n);
    return charge(e, now, &n->charged_bytes, err);
}

/* ---- one step ---- */

enum { NAMES_PER_STEP = 8 };

uint32_t eval_reduce(struct eval *e, uint32_t series, struct name_list names, bool keep)
{
    struct labels l = series_set_labels(&e->set, series);
    e->labels = mem_grow(e->labels, &e->cap_labels, l.n, sizeof *e->labels);
    size_t n = 0;
    e->steps += l.n * names.n / NAMES_PER_STEP;
    for (size_t i = 0; i < l.n; i++)
        if (name_list_has(names, l.v[i].name) == keep)
            e->labels[n++] = l.v[i];
    return series_set_add(&e->set, (struct labels){e->labels, n});
}

struct leaf_step {
    struct eval *e;
    struct eval_node *n;
    struct range_leaf *leaf;
};

static void take_value(void *ctx, uint32_t series, double value)
{
    struct leaf_step *s = ctx;
    uint32_t *id = series_map_at(&s->n->map_left, series);
    if (*id == NO_SERIES) {
        uint32_t added = series_set_add_encoded(&s->e->set, s->leaf->set.v[series].encoded);
        *id = added;
    }
    vec_put(&s->n->out, *id, value);
}

/* The labels of absent_over_time: names that stand once, with =. */
static uint32_t absent_series(struct eval *e, const struct log_query *q)
{
    e->labels = mem_grow(e->labels, &e->cap_labels, q->n_matchers, sizeof *e->labels);
    size_t n = 0;
    for (size_t i = 0; i < q->n_matchers; i++) {
        size_t same = 0;
        for (size_t j = 0; j < q->n_matchers; j++)
            same += sv_eq(q->matchers[j].name, q->matchers[i].name);
        if (same == 1 && q->matchers[i].op == MATCH_EQ && q->matchers[i].value.len)
            e->labels[n++] = (struct label){q->matchers[i].name, q->matchers[i].value};
    }
    labels_sort(e->labels, n, NULL);
    return series_set_add(&e->set, (struct labels){e->labels, n});
}

static void leaf_step(struct eval *e, struct eval_node *n, size_t k)
{
    struct range_leaf *leaf = &e->leaves[n->leaf]->leaf;
    struct leaf_step s = {e, n, leaf};
    range_leaf_step(leaf, k, take_value, &s);
    if (leaf->op != RANGE_ABSENT)
        return;
    bool any = n->out.n > 0;
    n->out.n = 0;
    if (!any)
        vec_put(&n->out, absent_series(e, &n->expr->range.log), 1);
}

static int node_step(struct eval *e, struct eval_node *n, size_t k, struct err *err)
{
    n->out.n = 0;
    switch (n->expr->kind) {
    case LOGQL_RANGE_AGG:
        leaf_step(e, n, k);
        return 0;
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        vec_put(&n->out, series_set_add(&e->set, (struct labels){0}), n->expr->number);
        return 0;
    case LOGQL_LABEL_REPLACE:
        return label_replace_step(e, n, err);
    case LOGQL_VECTOR_AGG:
        return vector_agg_step(e, n, err);
    case LOGQL_BINARY:
        return binary_step(e, n, err);
    case LOGQL_LOG:
        break;
    }
    return 0;
}

/* ---- the result ---- */

static int too_many_series(struct eval *e, struct err *err)
{
    return err_set(err, ERR_OVER_BUDGET,
                   "maximum number of series (%llu) reached for a single query; consider reducing "
                   "query cardinality by adding more specific stream selectors, reducing the time "
                   "range, or aggregating results with functions like sum(), count() or topk()",
                   (unsigned long long)e->options.max_series);
}

static int take_sample(struct eval *e, const struct eval_sample *s, size_t k, struct err *err)
{
    uint32_t *at = series_map_at(&e->result_of, s->series);
    struct eval_result *res = &e->result;
    if (*at == NO_SERIES) {
        if (e->options.max_series && res->n_series >= e->options.max_series && !res->is_scalar) {
            res->partial = true;
            return e->options.partial ? 0 : too_many_series(e, err);
        }
        res->series = mem_grow(res->series, &e->cap_result, res->n_series + 1, sizeof *res->series);
        *at = (uint32_t)res->n_series;
        res->series[res->n_series++] =
            (struct eval_series){.labels = series_set_labels(&e->set, s->series)};
    }
    struct eval_series *out = &res->series[*at];
    size_t before = out->cap_points;
    int r = query_grow(e->control, &out->points, &out->cap_points, out->n_points + 1,
                       sizeof *out->points, err);
    if (r < 0)
        return r;
    e->charged_bytes += (out->cap_points - before) * sizeof *out->points;
    out->points[out->n_points++] = (struct eval_point){(uint32_t)k, s->value};
    return 0;
}

static int by_series_labels(const void *a, const void *b)
{
    const struct eval_series *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

static int run_step(struct eval *e, size_t k, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < e->n_nodes && r == 0; i++) {
        r = node_step(e, &e->nodes[i], k, err);
        if (r == 0)
            r = charge_node(e, &e->nodes[i], err);
        if (r == 0)
            r = eval_spend(e, 1 + e->nodes[i].out.n, err);
    }
    const struct eval_vec *out = &e->nodes[e->n_nodes - 1].out;
    for (size_t i = 0; i < out->n && r == 0; i++)
        r = take_sample(e, &out->v[i], k, err);
    return r;
}

int eval_run(struct eval *e, const struct eval_result **ret, struct err *err)
{
    assert(e->n_nodes > 0);
    e->result.is_scalar = e->nodes[e->n_nodes - 1].is_scalar;
    int r = 0;
    for (size_t i = 0; i < e->n_leaves && r == 0; i++)
        r = range_leaf_finish(&e->leaves[i]->leaf, err);
    for (size_t k = 0; k < e->grid.n && r == 0; k++)
        r = run_step(e, k, err);
    if (r < 0)
        return r;
    if (e->result.n_series > 1 && (!e->keeps_order || !e->options.is_instant))
        qsort(e->result.series, e->result.n_series, sizeof *e->result.series, by_series_labels);
    *ret = &e->result;
    return 0;
}
