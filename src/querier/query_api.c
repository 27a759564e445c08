/* SPDX-License-Identifier: Apache-2.0 */
/* query, query_range and /api/prom/query: parameters to a parsed and permitted query, the
 * engine, its result to JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "logql/check.h"
#include "logql/parse.h"
#include "querier/apis.h"
#include "querier/blocked.h"
#include "querier/log_answer.h"
#include "querier/metric_answer.h"
#include "querier/query_limits.h"
#include "querier/read_request.h"
#include "query/engine.h"
#include "query/estimate.h"

static const double latency_bounds[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60};
static const double speed_bounds[] = {1e6, 1e7, 5e7, 1e8, 2.5e8, 5e8, 1e9, 2.5e9, 5e9, 1e10};
HISTOGRAM_BY(latency, "loki_logql_querystats_latency_seconds",
             "Time from a query's turn to its result", latency_bounds, "status_code", "type",
             "range");
HISTOGRAM_BY(speed, "loki_logql_querystats_bytes_processed_per_seconds",
             "Bytes that queries went through per second", speed_bounds, "status_code", "type",
             "range");

struct query_state {
    struct query_params p;
    const struct logql_expr *expr;
    struct asked_query asked; /* before limits moved anything */
    bool is_instant, is_legacy;
    bool is_outside; /* before max_query_lookback: nothing to read */
    bool is_drilldown;
    struct str_view tags;
    uint64_t max_series, max_read_bytes; /* the strictest of the tenants'; 0: none */
    struct answer_options options;
    struct log_result logs;
    struct eval *eval;
    union {
        struct log_answer log;
        struct metric_answer metric;
    } out;
};

static void deinit_state(void *state)
{
    struct query_state *s = state;
    log_result_deinit(&s->logs);
    eval_free(s->eval);
}

/* ---- prepare ---- */

/* The header's flags, each once; any may stand there. */
static void read_encoding_flags(struct read_request *r, struct query_state *s)
{
    struct str_view rest = http_header(r->http, "X-Loki-Response-Encoding-Flags");
    size_t most = 1, n = 0;
    for (size_t i = 0; i < rest.len; i++)
        most += rest.p[i] == ',';
    struct str_view *v = ARENA_ARRAY(&r->arena, struct str_view, most);
    while (rest.len > 0) {
        struct str_view flag = sv_sub(rest, 0, sv_find_byte(rest, ','));
        rest = sv_from(rest, flag.len + 1);
        if (n == 16 || name_list_has((struct name_list){v, n}, flag))
            continue;
        v[n++] = arena_copy(&r->arena, flag);
        s->options.categorize |= sv_eq(flag, SV("categorize-labels"));
    }
    s->options.encoding_flags = v;
    s->options.n_encoding_flags = n;
}

static struct asked_query asked_by(const struct query_state *s)
{
    return (struct asked_query){
        .expr = s->expr,
        .text = s->p.query,
        .tags = s->tags,
        .start_ns = s->p.start_ns,
        .end_ns = s->p.end_ns,
        .max_entries = s->p.limit,
        .may_be_blocked = !s->is_legacy,
    };
}

static int meet_limits(struct read_request *r, const struct limits *l, struct err *err)
{
    struct query_state *s = r->state;
    int ret = query_limits_check(l, &s->asked, err);
    s->is_outside |= !query_limits_clip(l, r->now_ns, &s->p.start_ns, s->p.end_ns);
    if (l->max_query_series > 0)
        s->max_series = stricter_limit(s->max_series, (uint64_t)l->max_query_series);
    s->max_read_bytes = stricter_limit(s->max_read_bytes, l->max_query_bytes_read);
    return ret;
}

/* As the front end that splits queries does, or when told to. */
static bool is_aligned(const struct read_request *r)
{
    return r->q->conf.align_queries_with_step ||
           r->envs[0].limits->split_queries_by_interval_ns > 0;
}

/* What all three ask once the parameters are read. */
static int prepare(struct read_request *r, struct err *err)
{
    struct query_state *s = r->state;
    struct str_view accept = http_header(r->http, "Accept");
    if (accept.p && sv_eq(accept, SV("application/vnd.apache.parquet")))
        return err_set(err, ERR_INVALID,
                       "there are no answers in Parquet: accept "
                       "application/json");
    struct str_view header = http_header(r->http, "X-Query-Tags");
    s->tags = header.p ? query_tags_normal(&r->arena, header) : SV_EMPTY;
    struct str_view source = query_tags_get(s->tags, SV("Source"));
    s->is_drilldown = source.p && sv_eq(source, SV("grafana-lokiexplore-app"));
    s->p.query = arena_copy(&r->arena, s->p.query.p ? s->p.query : SV_EMPTY);
    int ret = logql_parse(&r->arena, s->p.query, &s->expr, err);
    if (ret < 0)
        return ret;
    s->asked = asked_by(s);
    return read_each_limits(r, meet_limits, err);
}

static int prepare_range(struct read_request *r, struct err *err)
{
    struct query_state *s = r->state;
    int ret = params_range(r->params, r->now_ns, &s->p, err);
    if (ret == 0)
        ret = prepare(r, err);
    if (ret < 0)
        return ret;
    if (!logql_is_metric(s->expr))
        read_encoding_flags(r, s);
    else if (is_aligned(r))
        params_align(&s->p);
    return 0;
}

static int prepare_instant(struct read_request *r, struct err *err)
{
    struct query_state *s = r->state;
    s->is_instant = true;
    int ret = params_instant(r->params, r->now_ns, &s->p, err);
    if (ret == 0)
        ret = prepare(r, err);
    if (ret == 0 && !logql_is_metric(s->expr))
        ret = err_set(err, ERR_INVALID,
                      "log queries are not supported as an instant query type, please change your "
                      "query to a range query type");
    return ret;
}

/* The legacy parameter `regexp` is one more line filter. */
static int add_filter(struct read_request *r, struct query_state *s, struct err *err)
{
    struct str_view regexp = read_param(r, SV("regexp"));
    if (regexp.len == 0)
        return 0;
    struct logql_expr *e = ARENA_NEW(&r->arena, struct logql_expr);
    struct line_operand *operand = ARENA_NEW(&r->arena, struct line_operand);
    struct stage *stages = ARENA_ARRAY(&r->arena, struct stage, s->expr->log.n_stages + 1);
    *e = *s->expr;
    *operand = (struct line_operand){regexp, false};
    if (e->log.n_stages)
        memcpy(stages, e->log.stages, e->log.n_stages * sizeof *stages);
    stages[e->log.n_stages++] = (struct stage){
        .kind = STAGE_LINE_FILTER,
        .line_filter = {.op = LINE_RE, .operands = operand, .n_operands = 1},
    };
    e->log.stages = stages;
    s->expr = e;
    return check_tree(e, err);
}

static int prepare_legacy(struct read_request *r, struct err *err)
{
    struct query_state *s = r->state;
    s->is_legacy = s->options.legacy = true;
    int ret = params_range(r->params, r->now_ns, &s->p, err);
    if (ret == 0)
        ret = prepare(r, err);
    if (ret < 0)
        return ret;
    if (logql_is_metric(s->expr))
        return err_set(err, ERR_INVALID, "legacy endpoints only support streams result type");
    return add_filter(r, s, err);
}

/* ---- run ---- */

static void end_stats(struct read_request *r, uint64_t n_entries)
{
    r->stats.exec_time_s = (double)(clock_mono_ns() - r->begun_mono_ns) / 1e9;
    r->stats.splits = 1;
    r->stats.total_entries_returned = (int64_t)n_entries;
}

/* ---- warnings ---- */

enum { MAX_DAMAGE_NAMED = 10, MAX_WARNINGS = MAX_DAMAGE_NAMED + 2 };

struct warnings {
    struct arena *arena;
    struct str_view v[MAX_WARNINGS];
    size_t n;
    uint64_t n_damaged; /* places, named or not */
};

static void warn_damaged(void *ctx, struct str_view what)
{
    struct warnings *w = ctx;
    if (w->n_damaged++ < MAX_DAMAGE_NAMED)
        w->v[w->n++] = arena_printf(w->arena, "damaged data was left out: %.*s", SV_ARG(what));
}

/* A later answer to the same request may be whole, so nobody is to keep this one. */
static void set_warnings(struct read_request *r, struct query_state *s, bool partial)
{
    struct warnings *w = ARENA_NEW(&r->arena, struct warnings);
    *w = (struct warnings){.arena = &r->arena};
    if (partial)
        w->v[w->n++] = arena_printf(&r->arena,
                                    "maximum number of series (%" PRIu64
                                    ") reached for a single query; returning partial results",
                                    s->max_series);
    uint64_t n_more = damage_list_each(&r->damage.list, warn_damaged, w);
    w->n_damaged += n_more;
    if (w->n_damaged > MAX_DAMAGE_NAMED)
        w->v[w->n++] = arena_printf(&r->arena, "%" PRIu64 " more damaged places were left out",
                                    w->n_damaged - MAX_DAMAGE_NAMED);
    if (w->n_damaged)
        http_reply_header(r->http, "Cache-Control", SV("no-store"));
    s->options.warnings = w->v;
    s->options.n_warnings = w->n;
}

static int run_logs(struct read_request *r, struct query_state *s, struct err *err)
{
    const struct log_options options = {
        .start_ns = s->p.start_ns,
        .end_ns = s->p.end_ns,
        .limit = (uint64_t)s->p.limit,
        .backward = s->p.backward,
        .categorize = s->options.categorize,
    };
    int ret = 0;
    if (!s->is_outside)
        ret = engine_log(r->envs, r->n_tenants, &s->expr->log, &options, &s->logs, err);
    s->options.kind = ANSWER_STREAMS;
    if (ret == 0 && s->p.interval_ns > 0)
        log_result_thin(&s->logs, s->p.interval_ns);
    set_warnings(r, s, false);
    if (ret == 0)
        ret = log_answer_init(&s->out.log, &s->logs, &s->options, &r->stats, &r->control, err);
    if (ret < 0)
        return ret;
    end_stats(r, s->logs.n_rows);
    read_reply_pull(r, ANSWER_TYPE_STREAMS, log_answer_pull, &s->out.log);
    return 0;
}

static enum answer_kind kind_of(const struct query_state *s, const struct eval_result *res)
{
    if (!s->is_instant)
        return ANSWER_MATRIX;
    return res->is_scalar ? ANSWER_SCALAR : ANSWER_VECTOR;
}

/* The state lies in r's arena; what it points to as well, or it is its own. */
static int run_metrics(struct read_request *r, struct query_state *s, struct err *err)
{
    const struct eval_grid grid = eval_grid_of(s->p.start_ns, s->p.end_ns, s->p.step_ns);
    const struct eval_options options = {
        .max_series = s->max_series, .partial = s->is_drilldown, .is_instant = s->is_instant};
    static const struct eval_result nothing;
    const struct eval_result *res = &nothing;
    int ret = 0;
    if (!s->is_outside)
        ret = engine_metric(r->envs, r->n_tenants, s->expr, &grid, &options, &s->eval, &res, err);
    if (ret < 0)
        return ret;
    set_warnings(r, s, res->partial);
    s->options.kind = kind_of(s, res);
    metric_answer_init(&s->out.metric, res, &grid, &s->options, &r->stats);
    end_stats(r, metric_answer_samples(res));
    read_reply_pull(r, ANSWER_TYPE_METRIC, metric_answer_pull, &s->out.metric);
    return 0;
}

static int check_bytes_read(struct read_request *r, const struct query_state *s, struct err *err)
{
    uint64_t n_bytes = 0;
    if (s->max_read_bytes == 0)
        return 0;
    int ret = query_estimate(r->envs, r->n_tenants, s->expr,
                             (struct time_span){s->p.start_ns, s->p.end_ns}, &n_bytes, err);
    return ret < 0 ? ret : query_estimate_check(n_bytes, s->max_read_bytes, err);
}

static int run_query(struct read_request *r, struct err *err)
{
    struct query_state *s = r->state;
    int ret = s->is_outside ? 0 : check_bytes_read(r, s, err);
    if (ret < 0)
        return ret;
    return logql_is_metric(s->expr) ? run_metrics(r, s, err) : run_logs(r, s, err);
}

/* ---- endpoints ---- */

static void log_query(const struct read_request *r, const struct query_state *s, int64_t took_ns,
                      int status)
{
    int64_t limit_ns = r->q->conf.log_longer_than_ns;
    if (limit_ns == 0 || (limit_ns > 0 && took_ns < limit_ns))
        return;
    LOG_INFO("query", log_sv("tenant", r->envs[0].tenant), log_sv("query", s->p.query),
             log_int("status", status), log_duration("took", took_ns),
             log_float("queue_s", r->stats.queue_time_s), log_sv("tags", s->tags),
             log_int("bytes_per_s", stats_bytes_per_second(&r->stats)),
             log_int("entries", r->stats.total_entries_returned));
}

static void count_query(struct read_request *r, int status)
{
    const struct query_state *s = r->state;
    char code[8];
    if (!s || !s->expr)
        return;
    snprintf(code, sizeof code, "%d", status);
    struct str_view type = sv_of(query_type(s->expr));
    struct str_view range = s->is_instant ? SV("instant") : SV("range");
    int64_t now_ns = clock_mono_ns();
    int64_t took_ns = r->begun_mono_ns ? now_ns - r->begun_mono_ns : 0;
    if (status == 200)
        took_ns = (int64_t)(r->stats.exec_time_s * 1e9); /* without the client's reading */
    METRIC_OBSERVE(&latency, (double)took_ns / 1e9, sv_of(code), type, range);
    log_query(r, s, took_ns, status);
    if (status == 200)
        METRIC_OBSERVE(&speed, (double)stats_bytes_per_second(&r->stats), sv_of(code), type, range);
}

static const struct read_endpoint range_endpoint = {
    .lane = READ_QUERY,
    .may_ask_several = true,
    .state_bytes = sizeof(struct query_state),
    .prepare = prepare_range,
    .run = run_query,
    .deinit = deinit_state,
    .done = count_query,
};
static const struct read_endpoint instant_endpoint = {
    .lane = READ_QUERY,
    .may_ask_several = true,
    .state_bytes = sizeof(struct query_state),
    .prepare = prepare_instant,
    .run = run_query,
    .deinit = deinit_state,
    .done = count_query,
};
static const struct read_endpoint legacy_endpoint = {
    .lane = READ_QUERY,
    .may_ask_several = true,
    .state_bytes = sizeof(struct query_state),
    .prepare = prepare_legacy,
    .run = run_query,
    .deinit = deinit_state,
    .done = count_query,
};

void query_api_range(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &range_endpoint, req);
}

void query_api_instant(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &instant_endpoint, req);
}

void query_api_legacy(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &legacy_endpoint, req);
}
