/* SPDX-License-Identifier: Apache-2.0 */
/* label_replace (logql.md 4.7): once per label set, then a look-up. */
#include "querier/eval_impl.h"

int label_replace_init(struct eval *e, struct eval_node *n, struct err *err)
{
    if (!e->regex_scratch)
        e->regex_scratch = regex_scratch_new();
    int r = regex_compile(&n->regex, n->expr->label_replace.regex, REGEX_FULL, err);
    return r < 0 ? err_context(err, r, "invalid regex in label_replace") : 0;
}

static uint32_t with_label(struct eval *e, struct labels l, struct str_view name,
                           struct str_view value)
{
    if (l.n + 1 > e->cap_labels)
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

static uint32_t replaced(struct eval *e, struct eval_node *n, uint32_t series)
{
    struct labels l = series_set_labels(&e->set, series);
    struct str_view text = labels_get(l, n->expr->label_replace.src);
    if (!text.p)
        text = SV_EMPTY;
    size_t n_spans = 2 * regex_n_groups(n->regex);
    size_t *spans = mem_alloc(n_spans * sizeof *spans);
    uint32_t result = series;
    if (regex_captures(n->regex, e->regex_scratch, text, 0, spans, n_spans)) {
        buf_clear(&e->text);
        regex_expand(&e->text, n->regex, n->expr->label_replace.replacement, text, spans);
        result = with_label(e, l, n->expr->label_replace.dst, buf_view(&e->text));
    }
    free(spans);
    return result;
}

void label_replace_step(struct eval *e, struct eval_node *n)
{
    const struct eval_vec *in = &e->nodes[n->left].out;
    for (size_t i = 0; i < in->n; i++) {
        uint32_t *to = series_map_at(&n->map_left, in->v[i].series);
        if (*to == NO_SERIES) {
            uint32_t made = replaced(e, n, in->v[i].series);
            *to = made;
        }
        vec_put(&n->out, *to, in->v[i].value);
    }
}
