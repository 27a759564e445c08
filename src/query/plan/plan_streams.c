/* SPDX-License-Identifier: Apache-2.0 */
#include "query/plan/plan_impl.h"

#include "base/keyed.h"

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

/* Hashes decide but for very few. */
static void sort_by_rank(struct found_stream *v, size_t n)
{
    struct found_stream *from = mem_alloc((n + 1) * sizeof *from);
    struct keyed *keys = mem_alloc((n + 1) * sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct keyed){v[i].hash, i};
    keyed_sort(keys, n);
    memcpy(from, v, n * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = from[keys[i].number];
    free(keys);
    free(from);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[end].hash == v[i].hash;)
            end++;
        if (end - i > 1)
            qsort(v + i, end - i, sizeof *v, by_rank);
    }
}

static int rank_streams(struct plan *p, struct found_stream *v, size_t n, struct err *err)
{
    sort_by_rank(v, n);
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

int plan_join_streams(struct plan *p, const struct recent *recent, struct err *err)
{
    size_t n = 0, n_all = recent->n_streams + p->stored.n_series;
    p->rank_of_series = ARENA_ARRAY(&p->arena, uint32_t, p->stored.n_series);
    uint64_t bytes = 2 * n_all * sizeof(struct found_stream) + KEYED_SORT_BYTES(n_all);
    int r = query_charge(p->env->control, bytes, err);
    if (r < 0)
        return r;
    struct found_stream *v = mem_alloc(n_all * sizeof *v);
    for (size_t i = 0; i < recent->n_streams; i++)
        v[n++] = (struct found_stream){recent->streams[i].labels, recent->streams[i].hash,
                                       recent->streams[i].idx, NO_SERIES_NUMBER};
    for (size_t i = 0; i < p->stored.n_series; i++)
        v[n++] = (struct found_stream){p->stored.series[i].labels, p->stored.series[i].hash,
                                       PLAN_NO_HEAD, (uint32_t)i};
    r = rank_streams(p, v, n, err);
    free(v);
    query_release(p->env->control, bytes);
    return r;
}
