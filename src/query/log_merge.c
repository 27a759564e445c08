/* SPDX-License-Identifier: Apache-2.0 */
#include "query/log_merge.h"

#include "model/tenant_label.h"

/* How far one tenant's rows are taken. */
struct part_cursor {
    const struct log_result *part;
    uint32_t *streams; /* of the part -> of the merged result */
    size_t at;
};

static bool comes_first(const struct part_cursor *a, const struct part_cursor *b, bool backward)
{
    int64_t x = a->part->rows[a->at].ts_ns, y = b->part->rows[b->at].ts_ns;
    return backward ? x > y : x < y;
}

static struct part_cursor *next_cursor(struct part_cursor *v, size_t n, bool backward)
{
    struct part_cursor *first = NULL;
    for (size_t i = 0; i < n; i++)
        if (v[i].at < v[i].part->n_rows && (!first || comes_first(&v[i], first, backward)))
            first = &v[i];
    return first;
}

static void name_streams(struct part_cursor *c, struct str_view tenant, struct log_result *to)
{
    const struct series_set *from = &c->part->streams;
    c->streams = ARENA_ARRAY(&to->arena, uint32_t, from->n);
    for (uint32_t i = 0; i < from->n; i++)
        c->streams[i] = series_set_add(
            &to->streams, tenant_label_add(&to->arena, series_set_labels(from, i), tenant));
}

int log_merge(const struct query_env *envs, const struct log_options *options, struct log_result *r,
              struct err *err)
{
    struct part_cursor *cursors = ARENA_ARRAY(&r->arena, struct part_cursor, r->n_parts);
    size_t n_rows = 0;
    for (size_t i = 0; i < r->n_parts; i++) {
        cursors[i].part = &r->parts[i];
        name_streams(&cursors[i], envs[i].tenant, r);
        n_rows += r->parts[i].n_rows;
    }
    if (n_rows > options->limit)
        n_rows = options->limit;
    int ret = query_charge(
        envs[0].control,
        n_rows * sizeof *r->rows + r->arena.used_bytes + series_set_bytes(&r->streams), err);
    if (ret < 0)
        return ret;
    r->rows = mem_grow(NULL, &r->cap_rows, n_rows, sizeof *r->rows);
    while (r->n_rows < n_rows) {
        struct part_cursor *c = next_cursor(cursors, r->n_parts, options->backward);
        struct log_row row = c->part->rows[c->at++];
        row.stream = c->streams[row.stream];
        r->rows[r->n_rows++] = row;
    }
    return 0;
}
