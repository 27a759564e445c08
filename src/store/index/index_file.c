/* SPDX-License-Identifier: Apache-2.0 */
/* The index rows of a segment, from what the segment says of itself. */
#include <stdlib.h>

#include "base/bytes.h"
#include "store/index/index.h"

/* The parts of one period, opened. */
struct opened {
    struct part **parts;
    struct index_part *rows;
    struct index_part_series *series; /* of all of them */
    size_t n, n_series, cap_series;
};

static void opened_clear(struct opened *o)
{
    for (size_t i = 0; i < o->n; i++)
        part_close(o->parts[i]);
    o->n = o->n_series = 0;
}

static int open_one(struct opened *o, const struct segment *segment, uint32_t part_no,
                    struct err *err)
{
    const struct segment_part *info = &segment->parts[part_no];
    struct part *p;
    int r = part_open(&p, segment, info, err);
    if (r < 0)
        return r;
    o->parts[o->n] = p;
    o->rows[o->n++] = (struct index_part){
        .part_no = part_no,
        .tenant = info->tenant,
        .period_start_ns = info->period_start_ns,
        .period_length_ns = info->period_len_ns,
        .min_ts_ns = info->min_ts_ns,
        .max_ts_ns = info->max_ts_ns,
        .n_series = p->n_streams,
    };
    o->series = mem_grow(o->series, &o->cap_series, o->n_series + p->n_streams, sizeof *o->series);
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct segment_stream *s = &p->streams[i];
        o->series[o->n_series++] = (struct index_part_series){.labels = s->labels,
                                                              .hash = s->hash,
                                                              .runs = p->runs + s->first_run,
                                                              .n_runs = s->n_runs};
    }
    return 0;
}

/* The array of series is final now: point into it. */
static void link_series(struct opened *o)
{
    size_t at = 0;
    for (size_t i = 0; i < o->n; i++) {
        o->rows[i].series = o->series + at;
        at += o->rows[i].n_series;
    }
}

struct part_order {
    int64_t start_ns, length_ns;
    uint32_t part_no;
};

static int cmp_part_order(const void *x, const void *y)
{
    const struct part_order *a = x, *b = y;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    if (a->length_ns != b->length_ns)
        return a->length_ns < b->length_ns ? -1 : 1;
    return (a->part_no > b->part_no) - (a->part_no < b->part_no);
}

static bool same_period(const struct part_order *a, const struct part_order *b)
{
    return a->start_ns == b->start_ns && a->length_ns == b->length_ns;
}

int index_add_segment_file(struct index *ix, const struct segment *segment, struct err *err)
{
    size_t n = segment->n_parts;
    struct part_order *order = mem_alloc(n * sizeof *order);
    for (uint32_t i = 0; i < n; i++)
        order[i] = (struct part_order){segment->parts[i].period_start_ns,
                                       segment->parts[i].period_len_ns, i};
    if (n > 1)
        qsort(order, n, sizeof *order, cmp_part_order);
    struct opened o = {.parts = mem_alloc(n * sizeof *o.parts),
                       .rows = mem_alloc(n * sizeof *o.rows)};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n;) {
        size_t first = i;
        for (; r >= 0 && i < n && same_period(&order[first], &order[i]); i++)
            r = open_one(&o, segment, order[i].part_no, err);
        link_series(&o);
        if (r >= 0)
            r = index_add_segment(ix, uuid_of_bytes(segment->header.uuid), o.rows, o.n, err);
        opened_clear(&o);
    }
    free(order);
    free(o.parts);
    free(o.rows);
    free(o.series);
    return r == ERR_INVALID ? err_context(err, ERR_CORRUPT, "segment") : r;
}
