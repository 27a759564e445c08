/* SPDX-License-Identifier: Apache-2.0 */
/* labels, label/{name}/values and series, with their legacy forms. */
#include "logql/parse.h"
#include "querier/apis.h"
#include "querier/query_limits.h"
#include "querier/read_lookup.h"
#include "query/several.h"
#include "query/text_set.h"
#include "wire/answer.h"

enum { PIECE_BYTES = 64 << 10, MAX_GROUPS = 1000 };

struct matcher_group {
    const struct matcher *v;
    size_t n;
};

struct labels_state {
    struct str_view name;         /* values of it; p == NULL: names */
    struct matcher_group *groups; /* what any of them selects */
    size_t n_groups;
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

/* --- prepare ---------------------------------------------------------------------------- */

static int prepare_bounds(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = params_bounds(r->params, r->now_ns, &s->start_ns, &s->end_ns, err);
    if (ret < 0)
        return ret;
    for (size_t i = 0; i < r->n_tenants; i++) {
        const struct limits *l = r->tenants[i].limits;
        if ((ret = query_limits_check_length(l, s->start_ns, s->end_ns, err)) < 0)
            return ret;
        s->is_outside |= !query_limits_clip(l, r->now_ns, &s->start_ns, s->end_ns);
    }
    return 0;
}

static int prepare_names(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = prepare_bounds(r, err);
    if (ret < 0)
        return ret;
    struct str_view query = read_param(r, SV("query"));
    s->groups = ARENA_NEW(&r->arena, struct matcher_group);
    s->n_groups = 1;
    if (query.len == 0)
        return 0;
    return logql_parse_selector(&r->arena, query, &s->groups->v, &s->groups->n, err);
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

static int add_group(struct read_request *r, struct str_view text, struct err *err)
{
    struct labels_state *s = r->state;
    struct matcher_group *g = &s->groups[s->n_groups];
    struct str_view copy = arena_copy(&r->arena, text);
    int ret = logql_parse_matchers(&r->arena, copy, &g->v, &g->n, err);
    if (ret < 0)
        return ret;
    s->n_groups++;
    return 0;
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
    if (n > MAX_GROUPS)
        return err_set(err, ERR_INVALID, "%zu selectors in match[], limit %d", n, MAX_GROUPS);
    s->groups = ARENA_ARRAY(&r->arena, struct matcher_group, n + 1);
    for (size_t i = 0; i < r->params.n && ret == 0; i++)
        if (is_match(r->params.v[i].name))
            ret = add_group(r, r->params.v[i].value, err);
    for (size_t i = 0; i < s->n_groups && ret == 0; i++)
        if (s->groups[i].n == 0 && s->n_groups > 1)
            ret = err_set(err, ERR_INVALID, "0 matchers in group: {}");
    if (s->n_groups == 0)
        s->n_groups = 1; /* all series */
    return ret;
}

/* --- run -------------------------------------------------------------------------------- */

/* lookup_close() follows, whatever it returns. */
static int open_lookup(struct read_request *r, size_t tenant, size_t group, struct lookup *l,
                       struct err *err)
{
    const struct labels_state *s = r->state;
    const struct matcher_group *g = &s->groups[group];
    struct read_lookup_ask ask = {tenant, g->v, g->n, s->start_ns, s->end_ns};
    return read_lookup_open(r, &ask, l, err);
}

static int find_texts(struct read_request *r, size_t tenant, struct index_names *to,
                      struct err *err)
{
    struct labels_state *s = r->state;
    struct lookup l;
    int ret = open_lookup(r, tenant, 0, &l, err);
    if (ret == 0)
        ret = s->name.p ? lookup_values(&l, s->name, to, err) : lookup_names(&l, to, err);
    lookup_close(&l);
    return ret;
}

/* Of several tenants: joined, with the label that tells them apart. */
static int find_texts_of_all(struct read_request *r, struct index_names *to, struct err *err)
{
    struct labels_state *s = r->state;
    CLEANUP(text_set_deinit) struct text_set set = {0};
    bool asks_tenants = s->name.p && sv_eq(s->name, SV(TENANT_LABEL));
    for (size_t i = 0; i < r->n_tenants; i++) {
        struct index_names one = {0};
        int ret = find_texts(r, i, &one, err);
        if (ret < 0)
            return ret;
        for (size_t k = 0; k < one.n && !asks_tenants; k++)
            text_set_add(&set, one.v[k]);
        if (asks_tenants)
            text_set_add(&set, r->tenants[i].name);
    }
    if (!s->name.p)
        text_set_add(&set, SV(TENANT_LABEL));
    text_set_sorted(&set, &r->arena, &to->v, &to->n);
    return 0;
}

static int run_texts(struct read_request *r, struct err *err)
{
    struct labels_state *s = r->state;
    struct index_names names = {0};
    int ret = 0;
    if (!s->is_outside)
        ret = r->n_tenants > 1 ? find_texts_of_all(r, &names, err) : find_texts(r, 0, &names, err);
    if (ret < 0)
        return ret;
    struct buf body = BUF_INIT;
    answer_names(&body, names.v, names.n, s->is_legacy);
    read_reply_body(r, ANSWER_TYPE_STREAMS, &body);
    return 0;
}

static int find_series(struct read_request *r, size_t tenant, size_t group, struct series_set *to,
                       struct err *err)
{
    struct lookup l;
    int ret = open_lookup(r, tenant, group, &l, err);
    if (ret == 0)
        ret = lookup_series(&l, to, err);
    lookup_close(&l);
    return ret;
}

static int find_series_of_all(struct read_request *r, size_t group, struct err *err)
{
    struct labels_state *s = r->state;
    int ret = 0;
    for (size_t i = 0; i < r->n_tenants && ret == 0; i++) {
        struct series_set one;
        series_set_init(&one);
        ret = find_series(r, i, group, &one, err);
        for (uint32_t k = 0; k < one.n && ret == 0; k++)
            series_set_add(&s->set, tenant_label_add(&r->arena, series_set_labels(&one, k),
                                                     r->tenants[i].name));
        series_set_deinit(&one);
    }
    return ret;
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
    for (size_t i = 0; i < s->n_groups && ret == 0 && !s->is_outside; i++)
        ret = r->n_tenants > 1 ? find_series_of_all(r, i, err) : find_series(r, 0, i, &s->set, err);
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

/* --- endpoints -------------------------------------------------------------------------- */

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
