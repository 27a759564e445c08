/* SPDX-License-Identifier: Apache-2.0 */
#include "query/volume.h"

#include <inttypes.h>

#include "base/clock.h"

/* The multiple of step at or before it; at the beginning of time that may have no name. */
static int64_t floor_to(int64_t ts_ns, int64_t step_ns)
{
    int64_t over = ts_ns % step_ns, floor;
    over = over < 0 ? over + step_ns : over;
    return __builtin_sub_overflow(ts_ns, over, &floor) ? ts_ns : floor;
}

void volume_init(struct volume *v, const struct volume_ask *ask, struct query_control *control)
{
    *v = (struct volume){.ask = *ask, .control = control, .n_buckets = 1, .base_ns = ask->start_ns};
    series_set_init(&v->sets);
    if (ask->step_ns > 0 && ask->end_ns > ask->start_ns) {
        v->base_ns = floor_to(ask->start_ns, ask->step_ns);
        __int128 span = (__int128)ask->end_ns - v->base_ns;
        v->n_buckets = (size_t)((span + ask->step_ns - 1) / ask->step_ns);
    }
}

void volume_deinit(struct volume *v)
{
    series_set_deinit(&v->sets);
    arena_deinit(&v->arena);
    free(v->groups);
    free(v->members);
    free(v->streams);
    *v = (struct volume){0};
}

/* ---- groups ---- */

static void fail_over_limit(struct volume *v)
{
    v->failed = err_set(&v->err, ERR_INVALID,
                        "the query hit the max number of series limit (limit: %" PRIu64 " series)",
                        v->ask.max_groups);
}

/* The group of that label set joins the open stream. */
static void join(struct volume *v, struct labels labels)
{
    uint32_t set = series_set_add(&v->sets, labels);
    if (set == v->n_groups) {
        uint64_t bytes = v->n_buckets * sizeof(uint64_t) + sizeof(struct volume_group);
        if (v->ask.max_groups && v->n_groups == v->ask.max_groups)
            fail_over_limit(v);
        else
            v->failed = query_charge(v->control, bytes, &v->err);
        if (v->failed < 0)
            return;
        v->groups = mem_grow(v->groups, &v->cap_groups, v->n_groups + 1, sizeof *v->groups);
        v->groups[v->n_groups++] = (struct volume_group){
            .set = set, .buckets = arena_zalloc(&v->arena, v->n_buckets, sizeof(uint64_t))};
    }
    v->members = mem_grow(v->members, &v->cap_members, v->n_members + 1, sizeof *v->members);
    v->members[v->n_members++] = set;
    v->streams[v->n_streams - 1].n++;
}

/* Those of the stream's labels that groups are made of. */
static size_t pick_labels(const struct volume *v, struct labels l, struct label *to)
{
    size_t n = 0;
    for (size_t i = 0; i < v->ask.n_names && !v->ask.by_all; i++) {
        struct str_view value = labels_get(l, v->ask.names[i]);
        if (value.p)
            to[n++] = (struct label){v->ask.names[i], value};
    }
    for (size_t i = 0; i < l.n && v->ask.by_all; i++)
        to[n++] = l.v[i];
    return n;
}

static uint32_t on_series(void *ctx, struct str_view encoded)
{
    struct volume *v = ctx;
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct labels l;
    v->streams = mem_grow(v->streams, &v->cap_streams, v->n_streams + 1, sizeof *v->streams);
    v->streams[v->n_streams++] = (struct volume_stream){.first = v->n_members};
    uint32_t number = (uint32_t)(v->n_streams - 1);
    if (v->failed < 0 || (v->failed = labels_decode(&scratch, encoded, &l, &v->err)) < 0)
        return number;
    size_t most = v->ask.by_all ? l.n : v->ask.n_names;
    struct label *picked = ARENA_ARRAY(&scratch, struct label, most);
    size_t n = pick_labels(v, l, picked);
    if (v->ask.needs_all && n < v->ask.n_names)
        return number;
    if (!v->ask.by_name) {
        join(v, (struct labels){picked, n});
        return number;
    }
    for (size_t i = 0; i < n && v->failed == 0; i++) {
        const struct label name = {picked[i].name, SV_EMPTY};
        join(v, (struct labels){&name, 1});
    }
    return number;
}

/* ---- bytes ---- */

static size_t bucket_of(const struct volume *v, int64_t ts_ns)
{
    if (v->n_buckets == 1)
        return 0;
    uint64_t since_base = (uint64_t)ts_ns - (uint64_t)v->base_ns; /* may not fit an int64_t */
    size_t b = (size_t)(since_base / (uint64_t)v->ask.step_ns);
    return b < v->n_buckets ? b : v->n_buckets - 1;
}

/* Spreads the bytes over the buckets that their times lie in; the last one gets the rest. */
static void add_bytes(struct volume *v, struct volume_group *g, const struct lookup_amount *x)
{
    size_t first = bucket_of(v, x->min_ts_ns), last = bucket_of(v, x->max_ts_ns);
    double span = (double)x->max_ts_ns - (double)x->min_ts_ns + 1;
    uint64_t left = x->n_bytes;
    int64_t from = x->min_ts_ns;
    g->n_bytes += x->n_bytes;
    for (size_t b = first; b < last; b++) {
        int64_t until = v->base_ns + (int64_t)(b + 1) * v->ask.step_ns;
        uint64_t part = (uint64_t)((double)x->n_bytes * ((double)(until - from) / span));
        if (part > left)
            part = left;
        g->buckets[b] += part;
        left -= part;
        from = until;
    }
    g->buckets[last] += left;
}

static void on_amount(void *ctx, const struct lookup_amount *x)
{
    struct volume *v = ctx;
    const struct volume_stream *s = &v->streams[x->series];
    for (size_t i = 0; i < s->n && v->failed == 0; i++)
        add_bytes(v, &v->groups[v->members[s->first + i]], x);
}

int volume_add(struct volume *v, struct selection *s, struct err *err)
{
    return lookup_amounts(s, &(struct amount_sink){v, on_series, on_amount}, err);
}

/* ---- result ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct volume_group *x = a, *y = b;
    if (x->n_bytes != y->n_bytes)
        return x->n_bytes > y->n_bytes ? -1 : 1;
    return sv_cmp(x->text, y->text);
}

int volume_finish(struct volume *v, struct err *err)
{
    if (v->failed < 0)
        return err_set(err, v->err.code, "%s", v->err.text);
    for (size_t i = 0; i < v->n_groups; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        labels_print(&text, series_set_labels(&v->sets, v->groups[i].set));
        v->groups[i].text = arena_copy(&v->arena, buf_view(&text));
    }
    if (v->n_groups > 1)
        qsort(v->groups, v->n_groups, sizeof *v->groups, by_bytes);
    return 0;
}

int64_t volume_bucket_ts(const struct volume *v, size_t bucket)
{
    if (bucket + 1 == v->n_buckets)
        return v->ask.end_ns;
    return v->base_ns + (int64_t)(bucket + 1) * v->ask.step_ns - NS_PER_MS;
}
