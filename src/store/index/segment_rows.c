/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index/segment_rows.h"

#include <stdlib.h>

#include "base/bytes.h"

void segment_rows_clear(struct segment_rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        part_close(r->parts[i]);
    r->n = r->n_series = 0;
}

void segment_rows_deinit(struct segment_rows *r)
{
    segment_rows_clear(r);
    free(r->v);
    free(r->parts);
    free(r->series);
}

int segment_rows_add(struct segment_rows *r, const struct segment *segment, uint32_t part_no,
                     struct err *err)
{
    const struct segment_part *info = &segment->parts[part_no];
    struct part *p;
    int rc = part_open(&p, segment, info, err);
    if (rc < 0)
        return rc;
    r->v = mem_grow(r->v, &r->cap, r->n + 1, sizeof *r->v);
    r->parts = mem_grow(r->parts, &r->cap_parts, r->n + 1, sizeof *r->parts);
    r->parts[r->n] = p;
    r->v[r->n++] = (struct index_part){
        .part_no = part_no,
        .tenant = info->tenant,
        .period_start_ns = info->period_start_ns,
        .period_length_ns = info->period_len_ns,
        .min_ts_ns = info->min_ts_ns,
        .max_ts_ns = info->max_ts_ns,
        .n_series = p->n_streams,
    };
    r->series = mem_grow(r->series, &r->cap_series, r->n_series + p->n_streams, sizeof *r->series);
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct segment_stream *s = &p->streams[i];
        r->series[r->n_series++] = (struct index_part_series){.labels = s->labels,
                                                              .hash = s->hash,
                                                              .runs = p->runs + s->first_run,
                                                              .n_runs = s->n_runs};
    }
    return 0;
}

/* The array of series does not move any more: point into it. */
void segment_rows_end(struct segment_rows *r)
{
    size_t at = 0;
    for (size_t i = 0; i < r->n; i++) {
        r->v[i].series = r->series + at;
        at += r->v[i].n_series;
    }
}
