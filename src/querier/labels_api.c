/* SPDX-License-Identifier: Apache-2.0 */
/* labels, label/{name}/values and series, with their legacy forms. */
#include "logql/parse.h"
#include "querier/apis.h"
#include "querier/query_limits.h"
#include "querier/read_request.h"
#include "query/several.h"
#include "wire/answer.h"

enum { PIECE_BYTES = 64 << 10, MAX_SELECTORS = 1000 };

struct labels_state {
    struct str_view name;              /* values of it; p == NULL: names */
    struct selection_query *selectors; /* what any of them selects */
    size_t n_selectors;
    int64_t start_ns, end_ns;
    bool is_legacy;
    bool is_outside; /* before max_query_lookback */
    /* series */
    struct series_set set;
    uint32_t *order;
    struct answer_list list;
    size_t at;
};

static void deinit_state(void *state)
{
    series_set_deinit(&((struct labels_state *)state)->set);
}

/* ---- prepare ---- */

static int meet_limits(struct read_request *r, const struct limits *l, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = query_limits_check_length(l, s->start_ns, s->end_ns, err);
    s->is_outside |= !query_limits_clip(l, r->now_ns, &s->start_ns, s->end_ns);
    return ret;
}

static int prepare_bounds(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = params_bounds(r->params, r->now_ns, &s->start_ns, &s->end_ns, err);
    return ret < 0 ? ret : read_each_limits(r, meet_limits, err);
}

static struct selection_query *add_selector(struct labels_state *s)
{
    struct selection_query *q = &s->selectors[s->n_selectors++];
    q->within = (struct time_span){s->start_ns, s->end_ns};
    return q;
}

static int prepare_names(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = prepare_bounds(r, err);
    if (ret < 0)
        return ret;
    struct str_view query = read_param(r, SV("query"));
    s->selectors = ARENA_NEW(&r->arena, struct selection_query);
    struct selection_query *q = add_selector(s);
    if (query.len == 0)
        return 0;
    return logql_parse_selector(&r->arena, query, &q->matchers, &q->n_matchers, err);
}

static int prepare_legacy_names(struct read_request *r, struct err *err)
{
    ((struct labels_state *)r->state)->is_legacy = true;
    return prepare_names(r, err);
}

static int prepare_values(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    s->name = arena_copy(&r->arena, r->http->path_param);
    return prepare_names(r, err);
}

static int prepare_legacy_values(struct read_request *r, struct err *err)
{
    ((struct labels_state *)r->state)->is_legacy = true;
    return prepare_values(r, err);
}

static bool is_match(struct str_view name)
{
    return sv_eq(name, SV("match")) || sv_eq(name, SV("match[]"));
}

static int read_selector(struct read_request *r, struct str_view text, struct err *err)
{
    struct selection_query *q = add_selector(r->state);
    return logql_parse_matchers(&r->arena, arena_copy(&r->arena, text), &q->matchers,
                                &q->n_matchers, err);
}

static int prepare_series(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = prepare_bounds(r, err);
    if (ret < 0)
        return ret;
    size_t n = 0;
    for (size_t i = 0; i < r->params.n; i++)
        n += is_match(r->params.v[i].name);
    if (n > MAX_SELECTORS)
        return err_set(err, ERR_INVALID, "%zu selectors in match[], limit %d", n, MAX_SELECTORS);
    s->selectors = ARENA_ARRAY(&r->arena, struct selection_query, n + 1);
    for (size_t i = 0; i < r->params.n && ret == 0; i++)
        if (is_match(r->params.v[i].name))
            ret = read_selector(r, r->params.v[i].value, err);
    for (size_t i = 0; i < s->n_selectors && ret == 0; i++)
        if (s->selectors[i].n_matchers == 0 && s->n_selectors > 1)
            ret = err_set(err, ERR_INVALID, "0 matchers in group: {}");
    if (s->n_selectors == 0)
        add_selector(s); /* all series */
    return ret;
}

/* ---- run ---- */

static int run_texts(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    struct index_names names = {0};
    int ret = 0;
    if (!s->is_outside)
        ret = several_texts(r->envs, r->n_tenants, s->selectors, s->name.p ? &s->name : NULL,
                            &r->arena, &names, err);
    if (ret < 0)
        return ret;
    struct buf body = BUF_INIT;
    answer_names(&body, names.v, names.n, s->is_legacy);
    read_reply_body(r, ANSWER_TYPE_STREAMS, &body);
    return 0;
}

static int by_labels(const void *a, const void *b, void *set)
{
    return labels_cmp(series_set_labels(set, *(const uint32_t *)a),
                      series_set_labels(set, *(const uint32_t *)b));
}

static int pull_series(void *state, struct buf *out)
{
    struct labels_state *s = state;
    if (s->at == 0)
        answer_list_begin(&s->list, out);
    for (; s->at < s->set.n; s->at++) {
        if (out->len >= PIECE_BYTES)
            return 1;
        answer_list_item(&s->list, out, series_set_labels(&s->set, s->order[s->at]));
    }
    answer_list_end(&s->list, out);
    return 0;
}

static int run_series(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    series_set_init(&s->set);
    int ret = 0;
    for (size_t i = 0; i < s->n_selectors && ret == 0 && !s->is_outside; i++)
        ret = several_series(r->envs, r->n_tenants, &s->selectors[i], &s->set, err);
    if (ret < 0)
        return ret;
    s->order = ARENA_ARRAY(&r->arena, uint32_t, s->set.n);
    for (uint32_t i = 0; i < s->set.n; i++)
        s->order[i] = i;
    if (s->set.n > 1)
        qsort_r(s->order, s->set.n, sizeof *s->order, by_labels, &s->set);
    read_reply_pull(r, ANSWER_TYPE_STREAMS, pull_series, s);
    return 0;
}

/* ---- endpoints ---- */

#define TEXTS_ENDPOINT(prepare_)                                                                   \
    {                                                                                              \
        .lane = READ_LOOKUP, .may_ask_several = true, .state_bytes = sizeof(struct labels_state),  \
        .prepare = (prepare_), .run = run_texts                                                    \
    }
static const struct read_endpoint names_endpoint = TEXTS_ENDPOINT(prepare_names);
static const struct read_endpoint values_endpoint = TEXTS_ENDPOINT(prepare_values);
static const struct read_endpoint legacy_names_endpoint = TEXTS_ENDPOINT(prepare_legacy_names);
static const struct read_endpoint legacy_values_endpoint = TEXTS_ENDPOINT(prepare_legacy_values);
static const struct read_endpoint series_endpoint = {
    .lane = READ_LOOKUP,
    .may_ask_several = true,
    .state_bytes = sizeof(struct labels_state),
    .prepare = prepare_series,
    .run = run_series,
    .deinit = deinit_state,
};

void labels_api_names(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &names_endpoint, req);
}

void labels_api_values(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &values_endpoint, req);
}

void labels_api_legacy_names(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &legacy_names_endpoint, req);
}

void labels_api_legacy_values(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &legacy_values_endpoint, req);
}

void labels_api_series(void *ctx, struct http_request *req)
{
    read_request_begin(ctx, &series_endpoint, req);
}
