/* SPDX-License-Identifier: Apache-2.0 */
/* Binary operators (logql.md 4.6), one step at a time.  What labels a match has (its signature)
 * and what labels its result gets is worked out once per label set. */
#include "logql/arith.h"
#include "query/metric/eval_impl.h"

/* What a pair of values becomes; false when a comparison filters it out.  `kept` is the value that
 * a filter lets through. */
static bool combine(const struct logql_expr *x, double left, double right, double kept, double *ret)
{
    double v = arith_apply(x->binary.op, left, right);
    if (!binary_op_is_comparison(x->binary.op) || x->binary.returns_bool) {
        *ret = v;
        return true;
    }
    *ret = kept;
    return v != 0;
}

static void with_scalar(struct eval *e, struct eval_node *n)
{
    const struct eval_node *l = &e->nodes[n->left], *r = &e->nodes[n->right];
    if (n->is_scalar) {
        vec_put(&n->out, l->out.v[0].series,
                arith_apply(n->expr->binary.op, l->out.v[0].value, r->out.v[0].value));
        return;
    }
    const struct eval_vec *vec = l->is_scalar ? &r->out : &l->out;
    double number = l->is_scalar ? l->out.v[0].value : r->out.v[0].value;
    for (size_t i = 0; i < vec->n; i++) {
        double v = vec->v[i].value, result;
        bool keep = l->is_scalar ? combine(n->expr, number, v, v, &result)
                                 : combine(n->expr, v, number, v, &result);
        if (keep)
            vec_put(&n->out, vec->v[i].series, result);
    }
}

static uint32_t signature(struct eval *e, struct eval_node *n, uint32_t series)
{
    const struct vector_matching *m = &n->expr->binary.matching;
    if (!m->present)
        return series;
    uint32_t *at = series_map_at(&n->map_left, series);
    if (*at == NO_SERIES) {
        uint32_t reduced = eval_reduce(e, series, m->names, m->on);
        *at = reduced;
    }
    return *at;
}

static int put_matching(struct eval *e, struct eval_node *n, const struct eval_vec *vec,
                        bool wanted, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < vec->n && r == 0; i++) {
        bool matched = step_slots_get(&n->slots, signature(e, n, vec->v[i].series)) != NO_SERIES;
        if (matched == wanted)
            vec_put(&n->out, vec->v[i].series, vec->v[i].value);
        r = eval_check(e, err);
    }
    return r;
}

static int set_operator(struct eval *e, struct eval_node *n, struct err *err)
{
    int failed = 0;
    const struct eval_vec *l = &e->nodes[n->left].out, *r = &e->nodes[n->right].out;
    enum binary_op op = n->expr->binary.op;
    const struct eval_vec *known = op == BINARY_OR ? l : r;
    step_slots_clear(&n->slots);
    for (size_t i = 0; i < known->n && failed == 0; i++) {
        step_slots_set(&n->slots, signature(e, n, known->v[i].series), (uint32_t)i);
        failed = eval_check(e, err);
    }
    for (size_t i = 0; op == BINARY_OR && i < l->n; i++)
        vec_put(&n->out, l->v[i].series, l->v[i].value);
    if (failed < 0)
        return failed;
    return op == BINARY_OR ? put_matching(e, n, r, false, err)
                           : put_matching(e, n, l, op == BINARY_AND, err);
}

/* group_left, group_right: the many side's labels, those of the list taken from the one side. */
static uint32_t grouped_labels(struct eval *e, struct eval_node *n, uint32_t many, uint32_t one)
{
    const struct name_list *include = &n->expr->binary.matching.include;
    if (include->n == 0)
        return many;
    uint32_t *last_one = series_map_at(&n->map_pair, many);
    uint32_t *last = series_map_at(&n->map_result, many);
    if (*last_one == one)
        return *last;
    uint32_t kept = eval_reduce(e, many, *include, false);
    struct labels from = series_set_labels(&e->set, one), base = series_set_labels(&e->set, kept);
    size_t most = base.n + include->n, count = 0;
    e->labels = mem_grow(e->labels, &e->cap_labels, most, sizeof *e->labels);
    for (size_t i = 0; i < base.n; i++)
        e->labels[count++] = base.v[i];
    for (size_t i = 0; i < include->n; i++) {
        struct str_view value = labels_get(from, include->v[i]);
        if (value.p && !name_list_has((struct name_list){include->v, i}, include->v[i]))
            e->labels[count++] = (struct label){include->v[i], value};
    }
    labels_sort(e->labels, count, NULL);
    *last_one = one;
    return *last = series_set_add(&e->set, (struct labels){e->labels, count});
}

static uint32_t result_labels(struct eval *e, struct eval_node *n, uint32_t many, uint32_t one)
{
    if (n->expr->binary.matching.card != CARD_ONE_TO_ONE)
        return grouped_labels(e, n, many, one);
    return signature(e, n, many); /* all, only those of on(), or all but those of ignoring() */
}

/* Two samples of one side with one signature, or two results with the same labels, are errors. */
static int check_unique(struct eval_node *n, uint32_t sig, uint32_t result, struct err *err)
{
    bool one_to_one = n->expr->binary.matching.card == CARD_ONE_TO_ONE;
    uint32_t key = one_to_one ? sig : result;
    if (step_slots_get(&n->used, key) != NO_SERIES)
        return err_set(err, ERR_INVALID, "multiple matches for labels: %s",
                       one_to_one ? "many-to-one matching must be explicit (group_left/group_right)"
                                  : "grouping labels must ensure unique matches");
    step_slots_set(&n->used, key, 0);
    return 0;
}

static int index_one_side(struct eval *e, struct eval_node *n, const struct eval_vec *one,
                          const char *side, struct err *err)
{
    step_slots_clear(&n->slots);
    for (size_t i = 0; i < one->n; i++) {
        uint32_t sig = signature(e, n, one->v[i].series);
        int r = eval_check(e, err);
        if (r < 0)
            return r;
        if (step_slots_get(&n->slots, sig) != NO_SERIES)
            return err_set(err, ERR_INVALID,
                           "found duplicate series on the %s hand-side;many-to-many matching not "
                           "allowed: matching labels must be unique on one side",
                           side);
        step_slots_set(&n->slots, sig, (uint32_t)i);
    }
    return 0;
}

static int match_vectors(struct eval *e, struct eval_node *n, struct err *err)
{
    bool swapped = n->expr->binary.matching.card == CARD_ONE_TO_MANY;
    const struct eval_vec *l = &e->nodes[n->left].out, *r = &e->nodes[n->right].out;
    const struct eval_vec *many = swapped ? r : l, *one = swapped ? l : r;
    int failed = index_one_side(e, n, one, swapped ? "left" : "right", err);
    step_slots_clear(&n->used);
    for (size_t i = 0; i < many->n && failed == 0; i++) {
        uint32_t sig = signature(e, n, many->v[i].series);
        uint32_t at = step_slots_get(&n->slots, sig);
        if (at == NO_SERIES)
            continue;
        uint32_t result = result_labels(e, n, many->v[i].series, one->v[at].series);
        failed = check_unique(n, sig, result, err);
        if (failed == 0)
            failed = eval_check(e, err);
        double a = swapped ? one->v[at].value : many->v[i].value;
        double b = swapped ? many->v[i].value : one->v[at].value, v;
        if (failed == 0 && combine(n->expr, a, b, a, &v))
            vec_put(&n->out, result, v);
    }
    return failed;
}

int binary_step(struct eval *e, struct eval_node *n, struct err *err)
{
    if (binary_op_is_set(n->expr->binary.op))
        return set_operator(e, n, err);
    if (e->nodes[n->left].is_scalar || e->nodes[n->right].is_scalar) {
        with_scalar(e, n);
        return 0;
    }
    return match_vectors(e, n, err);
}
