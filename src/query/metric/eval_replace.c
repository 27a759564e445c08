/* SPDX-License-Identifier: Apache-2.0 */
/* label_replace (logql.md 4.7): once per label set, then a look-up. */
#include <inttypes.h>

#include "query/metric/eval_impl.h"

enum { MAX_VALUE_BYTES = 1 << 20, REPLACE_STEPS = 16 };

int label_replace_init(struct eval *e, struct eval_node *n, struct err *err)
{
    if (!e->regex_scratch)
        e->regex_scratch = query_scratch_new(e->control);
    int r = regex_compile(&n->regex, n->expr->label_replace.regex, REGEX_FULL, err);
    return r < 0 ? err_context(err, r, "invalid regex in label_replace") : 0;
}

static uint32_t with_label(struct eval *e, struct labels l, struct str_view name,
                           struct str_view value)
{
    e->labels = mem_grow(e->labels, &e->cap_labels, l.n + 1, sizeof *e->labels);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (!sv_eq(l.v[i].name, name))
            e->labels[n++] = l.v[i];
    if (value.len)
        e->labels[n++] = (struct label){name, value};
    labels_sort(e->labels, n, NULL);
    return series_set_add(&e->set, (struct labels){e->labels, n});
}

/* Nested calls may double a value each: it is bounded before it is made. */
static int check_value_bytes(const struct logql_expr *x, struct str_view text, struct err *err)
{
    uint64_t n_references = 0;
    struct str_view made_of = x->label_replace.replacement;
    for (size_t i = 0; i < made_of.len; i++)
        n_references += made_of.p[i] == '$';
    uint64_t bytes = made_of.len + n_references * text.len;
    if (bytes <= MAX_VALUE_BYTES || n_references < 2)
        return 0;
    return err_set(err, ERR_OVER_BUDGET,
                   "label_replace: the value of '%.*s' may take %" PRIu64 " bytes, more than %d",
                   SV_ARG(sv_sub(x->label_replace.dst, 0, 200)), bytes, MAX_VALUE_BYTES);
}

static int replace(struct eval *e, struct eval_node *n, uint32_t series, uint32_t *ret,
                   struct err *err)
{
    struct labels l = series_set_labels(&e->set, series);
    struct str_view text = labels_get(l, n->expr->label_replace.src);
    if (!text.p)
        text = SV_EMPTY;
    int r = check_value_bytes(n->expr, text, err);
    if (r < 0)
        return r;
    size_t n_spans = 2 * regex_n_groups(n->regex);
    size_t *spans = mem_alloc(n_spans * sizeof *spans);
    *ret = series;
    if (regex_captures(n->regex, e->regex_scratch, text, 0, spans, n_spans)) {
        buf_clear(&e->text);
        regex_expand(&e->text, n->regex, n->expr->label_replace.replacement, text, spans);
        *ret = with_label(e, l, n->expr->label_replace.dst, buf_view(&e->text));
    }
    free(spans);
    return eval_spend(e, REPLACE_STEPS, err);
}

int label_replace_step(struct eval *e, struct eval_node *n, struct err *err)
{
    const struct eval_vec *in = &e->nodes[n->left].out;
    for (size_t i = 0; i < in->n; i++) {
        uint32_t *to = series_map_at(&n->map_left, in->v[i].series);
        if (*to == NO_SERIES) {
            uint32_t made;
            int r = replace(e, n, in->v[i].series, &made, err);
            if (r < 0)
                return r;
            *to = made;
        }
        vec_put(&n->out, *to, in->v[i].value);
    }
    return 0;
}
