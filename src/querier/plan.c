/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/plan.h"

#include "store/view.h"

static int compile_matchers(struct plan *p, const struct matcher *from, size_t n, struct err *err)
{
    p->matchers = ARENA_ARRAY(&p->arena, struct matcher, n);
    for (; p->n_matchers < n; p->n_matchers++) {
        p->matchers[p->n_matchers] = from[p->n_matchers];
        p->matchers[p->n_matchers].regex = NULL;
        int r = matcher_compile(&p->matchers[p->n_matchers], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- streams ---- */

/* A stream as the index or the heads know it. */
struct found_stream {
    struct str_view encoded;
    uint64_t hash;
    uint32_t head_idx, series; /* one of them set */
};
enum { NO_SERIES_NUMBER = UINT32_MAX };

static int by_rank(const void *x, const void *y)
{
    const struct found_stream *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return sv_cmp(a->encoded, b->encoded);
}

static int rank_streams(struct plan *p, struct found_stream *v, size_t n, struct err *err)
{
    if (n > 1)
        qsort(v, n, sizeof *v, by_rank);
    p->streams = ARENA_ARRAY(&p->arena, struct plan_stream, n);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_rank(&v[i - 1], &v[i]) != 0) {
            struct plan_stream *s = &p->streams[p->n_streams++];
            *s = (struct plan_stream){v[i].encoded, v[i].hash, {0}, PLAN_NO_HEAD};
            int r = labels_decode(&p->arena, s->encoded, &s->labels, err);
            if (r < 0)
                return r;
        }
        if (v[i].series != NO_SERIES_NUMBER)
            p->rank_of_series[v[i].series] = p->n_streams - 1;
        else
            p->streams[p->n_streams - 1].head_idx = v[i].head_idx;
    }
    return 0;
}

static int join_streams(struct plan *p, const struct recent *recent, struct err *err)
{
    size_t n = 0, n_all = recent->n_streams + p->selection.n_series;
    p->rank_of_series = ARENA_ARRAY(&p->arena, uint32_t, p->selection.n_series);
    int r = query_charge(p->run->control, n_all * sizeof(struct found_stream), err);
    if (r < 0)
        return r;
    struct found_stream *v = mem_alloc(n_all * sizeof *v);
    for (size_t i = 0; i < recent->n_streams; i++)
        v[n++] = (struct found_stream){recent->streams[i].labels, recent->streams[i].hash,
                                       recent->streams[i].idx, NO_SERIES_NUMBER};
    for (size_t i = 0; i < p->selection.n_series; i++)
        v[n++] = (struct found_stream){p->selection.series[i].labels, p->selection.series[i].hash,
                                       PLAN_NO_HEAD, (uint32_t)i};
    r = rank_streams(p, v, n, err);
    free(v);
    query_release(p->run->control, n_all * sizeof(struct found_stream));
    return r;
}

/* ---- parts ---- */

static int open_part(struct plan *p, const struct index_selected_part *selected, struct err *err)
{
    struct plan_part *part = &p->parts[p->n_parts];
    part->selected = selected;
    int r = segments_get(p->run->parts->segments, selected->segment, &part->open, err);
    if (r < 0)
        return r;
    p->n_parts++;
    r = open_segment_part(part->open, selected->part_no, &part->part, err);
    if (r < 0)
        return r;
    part->source = chunk_source_of(open_segment_source(part->open, selected->part_no));
    for (size_t i = 0; i < selected->n_runs; i++) {
        const struct segment_run *run = &selected->runs[i].run;
        if (run->chunk >= part->part->n_chunks ||
            run->first_row > part->part->chunks[run->chunk].rows ||
            run->rows > part->part->chunks[run->chunk].rows - run->first_row)
            return err_set(err, ERR_CORRUPT, "the index names rows that the segment does not have");
    }
    return 0;
}

static int open_parts(struct plan *p, struct err *err)
{
    p->parts = ARENA_ARRAY(&p->arena, struct plan_part, p->selection.n_parts);
    for (size_t i = 0; i < p->selection.n_parts; i++) {
        int r = query_check(p->run->control, err);
        if (r == 0)
            r = open_part(p, &p->selection.parts[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the plan ---- */

static int find(struct plan *p, struct recent *recent, struct err *err)
{
    const struct querier_parts *parts = p->run->parts;
    int r = parts->peer.ops->recent_open(parts->peer.self, p->run->tenant, p->matchers,
                                         p->n_matchers, &p->arena, recent, err);
    if (r < 0)
        return r;
    p->view = recent->view;
    struct index_query q = {.view = p->view,
                            .tenant = p->run->tenant,
                            .matchers = p->matchers,
                            .n_matchers = p->n_matchers,
                            .min_ts_ns = p->min_ts_ns,
                            .max_ts_ns = p->max_ts_ns,
                            .max_bytes = p->run->control->max_bytes};
    return index_select(parts->index, &q, &p->arena, &p->selection, err);
}

int plan_open(struct plan *p, const struct run *run, const struct matcher *matchers,
              size_t n_matchers, int64_t min_ts_ns, int64_t max_ts_ns, struct err *err)
{
    *p = (struct plan){.run = run, .min_ts_ns = min_ts_ns, .max_ts_ns = max_ts_ns};
    struct recent recent = {0};
    int r = compile_matchers(p, matchers, n_matchers, err);
    if (r == 0)
        r = find(p, &recent, err);
    if (r == 0)
        r = join_streams(p, &recent, err);
    if (r == 0)
        r = open_parts(p, err);
    if (r == 0)
        r = query_charge_arena(run->control, &p->arena, &p->charged_bytes, err);
    return r;
}

void plan_close(struct plan *p)
{
    for (size_t i = 0; i < p->n_parts; i++)
        segments_put(p->run->parts->segments, p->parts[i].open);
    for (size_t i = 0; i < p->n_matchers; i++)
        matcher_deinit(&p->matchers[i]);
    view_unpin(p->view);
    query_release(p->run->control, p->charged_bytes);
    arena_deinit(&p->arena);
}
