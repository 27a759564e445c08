/* SPDX-License-Identifier: Apache-2.0 */
#include "query/log_merge.h"

#include "query/several.h"

struct cursor {
    const struct log_part *part;
    uint32_t *streams; /* of the part -> of the merged result */
    size_t at;
};

static bool comes_first(const struct cursor *a, const struct cursor *b, bool backward)
{
    int64_t x = a->part->result.rows[a->at].ts_ns, y = b->part->result.rows[b->at].ts_ns;
    return backward ? x > y : x < y;
}

static struct cursor *next_cursor(struct cursor *v, size_t n, bool backward)
{
    struct cursor *first = NULL;
    for (size_t i = 0; i < n; i++)
        if (v[i].at < v[i].part->result.n_rows && (!first || comes_first(&v[i], first, backward)))
            first = &v[i];
    return first;
}

static void name_streams(struct cursor *c, struct log_result *to)
{
    const struct series_set *from = &c->part->result.streams;
    c->streams = ARENA_ARRAY(&to->arena, uint32_t, from->n);
    for (uint32_t i = 0; i < from->n; i++)
        c->streams[i] =
            series_set_add(&to->streams, tenant_label_add(&to->arena, series_set_labels(from, i),
                                                          c->part->tenant));
}

int log_merge(const struct log_part *parts, size_t n_parts, const struct log_options *options,
              struct query_control *control, struct log_result *ret, struct err *err)
{
    *ret = (struct log_result){0};
    series_set_init(&ret->streams);
    struct cursor *cursors = ARENA_ARRAY(&ret->arena, struct cursor, n_parts);
    size_t n_rows = 0;
    for (size_t i = 0; i < n_parts; i++) {
        cursors[i].part = &parts[i];
        name_streams(&cursors[i], ret);
        n_rows += parts[i].result.n_rows;
    }
    if (n_rows > options->limit)
        n_rows = options->limit;
    int r = query_charge(
        control,
        n_rows * sizeof *ret->rows + ret->arena.used_bytes + series_set_bytes(&ret->streams), err);
    if (r < 0)
        return r;
    ret->rows = mem_grow(NULL, &ret->cap_rows, n_rows, sizeof *ret->rows);
    while (ret->n_rows < n_rows) {
        struct cursor *c = next_cursor(cursors, n_parts, options->backward);
        struct log_row row = c->part->result.rows[c->at++];
        row.stream = c->streams[row.stream];
        ret->rows[ret->n_rows++] = row;
    }
    return 0;
}
