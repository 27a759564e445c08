/* SPDX-License-Identifier: Apache-2.0 */
/* index/stats, index/volume and index/volume_range: how much there is, without reading it. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/num.h"
#include "logql/parse.h"
#include "model/name_list.h"
#include "querier/apis.h"
#include "querier/query_limits.h"
#include "querier/read_request.h"
#include "query/several.h"
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

/* ---- prepare ---- */

static int meet_limits(struct read_request *r, const struct limits *l, struct err *err)
{
    struct stats_state *s = r->state;
    int ret = query_limits_check_length(l, s->start_ns, s->end_ns, err);
    if (ret == 0)
        ret = query_limits_check_matchers(l, s->matchers, s->n_matchers, err);
    s->is_outside |= !query_limits_clip(l, r->now_ns, &s->start_ns, s->end_ns);
    return ret;
}

static int prepare_stats(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    int ret = params_bounds(r->params, r->now_ns, &s->start_ns, &s->end_ns, err);
    if (ret == 0)
        ret = logql_parse_selector(&r->arena, read_param(r, SV("query")), &s->matchers,
                                   &s->n_matchers, err);
    return ret < 0 ? ret : read_each_limits(r, meet_limits, err);
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
    s->ask.names = v;
    s->ask.n_names = names_sort_unique(v, n);
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

static int meet_volume_limits(struct read_request *r, const struct limits *l, struct err *err)
{
    struct stats_state *s = r->state;
    if (!l->volume_enabled)
        return err_set(err, ERR_NOT_FOUND, "not found");
    if (l->volume_max_series > 0)
        s->ask.max_groups = stricter_limit(s->ask.max_groups, (uint64_t)l->volume_max_series);
    return 0;
}

/* What both ask of: bounds are set. */
static int prepare_volume_rest(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    int ret = read_each_limits(r, meet_volume_limits, err);
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
        ret = read_each_limits(r, meet_limits, err);
    s->ask.start_ns = s->start_ns;
    s->ask.end_ns = s->end_ns;
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

/* ---- run ---- */

static struct selection_query query_of(const struct stats_state *s)
{
    return (struct selection_query){s->matchers, s->n_matchers, {s->start_ns, s->end_ns}};
}

static int run_stats(struct read_request *r, struct err *err)
{
    const struct stats_state *s = r->state;
    struct selection_query q = query_of(s);
    struct index_stats sum = {0};
    int ret = s->is_outside ? 0 : several_stats(r->envs, r->n_tenants, &q, &sum, err);
    if (ret < 0)
        return ret;
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

static int add_volume(void *volume, struct selection *s, struct err *err)
{
    return volume_add(volume, s, err);
}

static int run_volume(struct read_request *r, struct err *err)
{
    struct stats_state *s = r->state;
    struct selection_query q = query_of(s);
    int ret = 0;
    volume_init(&s->volume, &s->ask, &r->control);
    s->has_volume = true;
    if (!s->is_outside)
        ret = several_each(r->envs, r->n_tenants, &q, add_volume, &s->volume, err);
    if (ret == 0)
        ret = volume_finish(&s->volume, err);
    if (ret < 0)
        return ret;
    read_reply_pull(r, ANSWER_TYPE_METRIC, pull_volume, s);
    return 0;
}

/* ---- endpoints ---- */

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
