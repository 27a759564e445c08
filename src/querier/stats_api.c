/* SPDX-License-Identifier: Apache-2.0 */
/* index/stats, index/volume and index/volume_range: how much there is, without reading it. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/num.h"
#include "logql/parse.h"
#include "querier/apis.h"
#include "querier/query_limits.h"
#include "querier/read_lookup.h"
#include "query/volume.h"
#include "wire/answer.h"

enum { PIECE_BYTES = 64 << 10, DEFAULT_LIMIT = 100, MAX_TARGETS = 1000 };

struct stats_state {
    const struct matcher *matchers;
    size_t n_matchers;
    int64_t start_ns, end_ns;
    bool is_outside; /* before max_query_lookback */
    /* volumes */
    struct volume_ask ask;
    struct volume volume;
    bool has_volume;
    uint64_t limit;
    struct answer w;
    size_t group, bucket;
    bool begun;
};

static void deinit_state(void *state)
{
    struct stats_state *s = state;
    if (s->has_volume)
        volume_deinit(&s->volume);
}

/* --- prepare ---------------------------------------------------------------------------- */

static int prepare_limits(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    for (size_t i = 0; i < r->n_tenants; i++) {
        const struct limits *l = r->tenants[i].limits;
        int ret = query_limits_check_length(l, s->start_ns, s->end_ns, err);
        if (ret == 0)
            ret = query_limits_check_matchers(l, s->matchers, s->n_matchers, err);
        if (ret < 0)
            return ret;
        s->is_outside |= !query_limits_clip(l, r->now_ns, &s->start_ns, s->end_ns);
    }
    return 0;
}

static int prepare_stats(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    int ret = params_bounds(r->params, r->now_ns, &s->start_ns, &s->end_ns, err);
    if (ret == 0)
        ret = logql_parse_selector(&r->arena, read_param(r, SV("query")), &s->matchers,
                                   &s->n_matchers, err);
    return ret < 0 ? ret : prepare_limits(r, err);
}

static int by_text(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

static void set_names(struct volume_ask *ask, struct str_view *v, size_t n)
{
    ask->names = v;
    if (n > 1)
        qsort(v, n, sizeof *v, by_text);
    for (size_t i = 0; i < n; i++)
        if (ask->n_names == 0 || !sv_eq(v[ask->n_names - 1], v[i]))
            v[ask->n_names++] = v[i];
}

/* targetLabels, or else what the selector names. */
static int read_targets(struct read_request *r, struct stats_state *s, struct err *err)
{
    struct str_view rest = read_param(r, SV("targetLabels"));
    size_t most = s->n_matchers + 1, n = 0;
    for (size_t i = 0; i < rest.len; i++)
        most += rest.p[i] == ',';
    if (most > MAX_TARGETS)
        return err_set(err, ERR_INVALID, "more than %d labels to group by", MAX_TARGETS);
    struct str_view *v = ARENA_ARRAY(&r->arena, struct str_view, most);
    while (rest.len > 0) {
        struct str_view name = sv_sub(rest, 0, sv_find_byte(rest, ','));
        rest = sv_from(rest, name.len + 1);
        if (name.len > 0)
            v[n++] = name;
    }
    s->ask.needs_all = n > 0;
    if (n == 0) {
        s->ask.by_all = s->n_matchers == 0;
        for (size_t i = 0; i < s->n_matchers; i++)
            v[n++] = s->matchers[i].name;
    }
    set_names(&s->ask, v, n);
    return 0;
}

static int read_aggregation(struct read_request *r, struct stats_state *s, struct err *err)
{
    struct str_view by = read_param(r, SV("aggregateBy"));
    s->ask.by_name = by.len && sv_eq(by, SV("labels"));
    if (by.len && !s->ask.by_name && !sv_eq(by, SV("series")))
        return err_set(err, ERR_INVALID, "invalid aggregation option");
    return 0;
}

static int read_limit(struct read_request *r, struct stats_state *s, struct err *err)
{
    struct str_view text = read_param(r, SV("limit"));
    s->limit = DEFAULT_LIMIT;
    uint64_t v = 0;
    if (text.len && !sv_to_u64(text, &v))
        return err_set(err, ERR_INVALID, "limit must be a positive value");
    if (v > 0)
        s->limit = v;
    return 0;
}

static int check_enabled(const struct read_request *r, struct stats_state *s, struct err *err)
{
    for (size_t i = 0; i < r->n_tenants; i++) {
        const struct limits *l = r->tenants[i].limits;
        if (!l->volume_enabled)
            return err_set(err, ERR_NOT_FOUND, "not found");
        if (l->volume_max_series > 0)
            s->ask.max_groups = stricter_limit(s->ask.max_groups, (uint64_t)l->volume_max_series);
    }
    return 0;
}

/* What both ask of: bounds are set. */
static int prepare_volume_rest(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    int ret = check_enabled(r, s, err);
    if (ret == 0)
        ret = logql_parse_matchers(&r->arena, read_param(r, SV("query")), &s->matchers,
                                   &s->n_matchers, err);
    if (ret == 0)
        ret = read_limit(r, s, err);
    if (ret == 0)
        ret = read_aggregation(r, s, err);
    if (ret == 0)
        ret = read_targets(r, s, err);
    if (ret == 0)
        ret = prepare_limits(r, err);
    s->ask.start_ns = s->start_ns;
    s->ask.end_ns = s->end_ns;
    s->ask.control = &r->control;
    return ret;
}

static int prepare_volume(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    int ret = params_bounds(r->params, r->now_ns, &s->start_ns, &s->end_ns, err);
    return ret < 0 ? ret : prepare_volume_rest(r, err);
}

static int prepare_volume_range(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    int ret =
        params_stepped_bounds(r->params, r->now_ns, &s->start_ns, &s->end_ns, &s->ask.step_ns, err);
    return ret < 0 ? ret : prepare_volume_rest(r, err);
}

/* --- run -------------------------------------------------------------------------------- */

/* lookup_close() follows, whatever it returns. */
static int open_lookup(struct read_request *r, size_t tenant, struct lookup *l, struct err *err)
{
    const struct stats_state *s = r->state;
    struct read_lookup_ask ask = {tenant, s->matchers, s->n_matchers, s->start_ns, s->end_ns};
    return read_lookup_open(r, &ask, l, err);
}

static int add_stats(struct read_request *r, size_t tenant, struct index_stats *sum,
                     struct err *err)
{
    struct lookup l;
    struct index_stats one = {0};
    int ret = open_lookup(r, tenant, &l, err);
    if (ret == 0)
        ret = lookup_stats(&l, &one, err);
    lookup_close(&l);
    sum->n_streams += one.n_streams;
    sum->n_chunks += one.n_chunks;
    sum->n_entries += one.n_entries;
    sum->n_bytes += one.n_bytes;
    return ret;
}

static int run_stats(struct read_request *r, struct err *err)
{
    const struct stats_state *s = r->state;
    struct index_stats sum = {0};
    for (size_t i = 0; i < r->n_tenants && !s->is_outside; i++) {
        int ret = add_stats(r, i, &sum, err);
        if (ret < 0)
            return ret;
    }
    struct buf body = BUF_INIT;
    buf_printf(&body,
               "{\"streams\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"entries\":%" PRIu64 "}\n",
               sum.n_streams, sum.n_chunks, sum.n_bytes, sum.n_entries);
    read_reply_body(r, ANSWER_TYPE_STREAMS, &body);
    return 0;
}

static void put_matrix_series(struct stats_state *s, struct buf *out)
{
    const struct volume *v = &s->volume;
    const struct volume_group *g = &v->groups[s->group];
    answer_series_begin(&s->w, out, series_set_labels(&v->sets, g->set));
    for (size_t b = 0; b < v->n_buckets; b++)
        if (g->buckets[b] > 0)
            answer_point(&s->w, out, volume_bucket_ts(v, b), (double)g->buckets[b]);
    answer_series_end(&s->w, out);
}

static int pull_volume(void *state, struct buf *out)
{
    struct stats_state *s = state;
    const struct volume *v = &s->volume;
    const struct answer_options options = {.kind =
                                               v->ask.step_ns > 0 ? ANSWER_MATRIX : ANSWER_VECTOR};
    if (!s->begun)
        answer_begin(&s->w, out, &options);
    s->begun = true;
    for (; s->group < v->n_groups && s->group < s->limit; s->group++) {
        const struct volume_group *g = &v->groups[s->group];
        if (out->len >= PIECE_BYTES)
            return 1;
        if (v->ask.step_ns > 0)
            put_matrix_series(s, out);
        else
            answer_sample(&s->w, out, series_set_labels(&v->sets, g->set), v->ask.end_ns,
                          (double)g->n_bytes);
    }
    answer_end(&s->w, out, NULL);
    return 0;
}

static int add_volume(struct read_request *r, size_t tenant, struct err *err)
{
    struct stats_state *s = r->state;
    struct lookup l;
    int ret = open_lookup(r, tenant, &l, err);
    if (ret == 0)
        ret = lookup_sizes(&l, volume_sizes(&s->volume), err);
    lookup_close(&l);
    return ret;
}

static int run_volume(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    volume_init(&s->volume, &s->ask);
    s->has_volume = true;
    int ret = 0;
    for (size_t i = 0; i < r->n_tenants && ret == 0 && !s->is_outside; i++)
        ret = add_volume(r, i, err);
    if (ret == 0)
        ret = volume_finish(&s->volume, err);
    if (ret < 0)
        return ret;
    read_reply_pull(r, ANSWER_TYPE_METRIC, pull_volume, s);
    return 0;
}

/* --- endpoints -------------------------------------------------------------------------- */

static const struct read_endpoint stats_endpoint = {
    .lane = READ_LOOKUP,
    .may_ask_several = true,
    .state_bytes = sizeof(struct stats_state),
    .prepare = prepare_stats,
    .run = run_stats,
};
static const struct read_endpoint volume_endpoint = {
    .lane = READ_LOOKUP,
    .may_ask_several = true,
    .state_bytes = sizeof(struct stats_state),
    .prepare = prepare_volume,
    .run = run_volume,
    .deinit = deinit_state,
};
static const struct read_endpoint volume_range_endpoint = {
    .lane = READ_LOOKUP,
    .may_ask_several = true,
    .state_bytes = sizeof(struct stats_state),
    .prepare = prepare_volume_range,
    .run = run_volume,
    .deinit = deinit_state,
};

void stats_api_stats(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &stats_endpoint, req);
}

void stats_api_volume(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &volume_endpoint, req);
}

void stats_api_volume_range(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &volume_range_endpoint, req);
}
