/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/apis.h"
#include "querier/read_request.h"

enum {
    MAX_CONCURRENT = 256,
    N_LOOKUP_THREADS = 2,
    MAX_BODY_BYTES = 10 << 20, /* of a form; Loki's frontend.max_body_size */
};

const struct conf_row querier_conf_rows[] = {
    CONF_ROW(struct querier_conf, max_concurrent, "max_concurrent", CONF_UINT, "4",
             "Queries that run at once; the tenants of those that wait take turns"),
    CONF_ROW(struct querier_conf, max_query_bytes, "max_query_memory", CONF_SIZE, "256MB",
             "Most memory of one query, its answer included; 0: as much as server.memory_ceiling "
             "leaves"),
    CONF_ROW(struct querier_conf, multi_tenant_queries, "multi_tenant_queries_enabled", CONF_BOOL,
             "false", "Let X-Scope-OrgID name several tenants (a|b) on read requests"),
    CONF_ROW(struct querier_conf, fail_on_damaged_data, "fail_on_damaged_data", CONF_BOOL, "false",
             "Fail a query with 500 when stored data that it needs is damaged or gone, rather than "
             "leave that out and say so in the answer's warnings"),
    CONF_ROW(struct querier_conf, use_filters, "use_filters", CONF_BOOL, "true",
             "Skip chunks by their filters and statistics; off only to prove that answers stay "
             "the same"),
};
const size_t querier_conf_n_rows = N_ROWS(querier_conf_rows);

const struct conf_row query_range_conf_rows[] = {
    CONF_ROW(struct querier_conf, align_queries_with_step, "align_queries_with_step", CONF_BOOL,
             "false",
             "Move start down and end up to multiples of step even where "
             "limits_config.split_queries_by_interval is off"),
};
const size_t query_range_conf_n_rows = N_ROWS(query_range_conf_rows);

const struct conf_row querier_frontend_conf_rows[] = {
    CONF_ROW(struct querier_conf, max_outstanding, "max_outstanding_per_tenant", CONF_UINT, "2048",
             "Read requests of a tenant that wait for their turn; more are answered with 429"),
    CONF_ROW(struct querier_conf, log_longer_than_ns, "log_queries_longer_than", CONF_DURATION,
             "0s", "Queries that run as long are logged; 0: none, negative: all"),
};
const size_t querier_frontend_conf_n_rows = N_ROWS(querier_frontend_conf_rows);

static void add_route(struct querier *q, const char *path, http_handler *handler)
{
    q->routes[q->n_routes++] = (struct http_route){
        .path = path,
        .methods = HTTP_GET | HTTP_POST,
        .class = HTTP_CLASS_QUERY,
        .handler = handler,
        .ctx = q,
        .max_body_bytes = MAX_BODY_BYTES,
        .form = true,
    };
}

static void add_routes(struct querier *q)
{
    static const struct {
        const char *path;
        http_handler *handler;
    } rows[] = {
        {"/loki/api/v1/query", query_api_instant},
        {"/loki/api/v1/query_range", query_api_range},
        {"/loki/api/v1/labels", labels_api_names},
        {"/loki/api/v1/label", labels_api_names},
        {"/loki/api/v1/label/{name}/values", labels_api_values},
        {"/loki/api/v1/series", labels_api_series},
        {"/loki/api/v1/index/stats", stats_api_stats},
        {"/loki/api/v1/index/volume", stats_api_volume},
        {"/loki/api/v1/index/volume_range", stats_api_volume_range},
        {"/loki/api/v1/format_query", format_api_format},
        {"/api/prom/query", query_api_legacy},
        {"/api/prom/label", labels_api_legacy_names},
        {"/api/prom/label/{name}/values", labels_api_legacy_values},
        {"/api/prom/series", labels_api_series},
    };
    _Static_assert(sizeof rows / sizeof rows[0] <= QUERIER_N_ROUTES, "routes fit");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add_route(q, rows[i].path, rows[i].handler);
}

static int check_conf(const struct querier_conf *c, struct err *err)
{
    if (c->max_concurrent < 1 || c->max_concurrent > MAX_CONCURRENT)
        return err_set(err, ERR_INVALID, "querier.max_concurrent %llu is not within 1 to %d",
                       (unsigned long long)c->max_concurrent, MAX_CONCURRENT);
    if (c->max_outstanding < 1)
        return err_set(err, ERR_INVALID, "frontend.max_outstanding_per_tenant must be at least 1");
    return 0;
}

int querier_open(struct querier **ret, const struct querier_conf *conf,
                 const struct querier_deps *deps, struct err *err)
{
    int r = check_conf(conf, err);
    if (r < 0)
        return r;
    struct querier *q = mem_zalloc(1, sizeof *q);
    q->conf = *conf;
    q->deps = *deps;
    r = turns_open(&q->queries, "query", (unsigned)conf->max_concurrent, conf->max_outstanding,
                   err);
    if (r == 0)
        r = turns_open(&q->lookups, "lookup", N_LOOKUP_THREADS, conf->max_outstanding, err);
    if (r < 0) {
        querier_close(q);
        return r;
    }
    add_routes(q);
    *ret = q;
    return 0;
}

void querier_close(struct querier *q)
{
    if (!q)
        return;
    turns_close(q->queries);
    turns_close(q->lookups);
    free(q);
}

const struct http_route *querier_routes(struct querier *q, size_t *ret_n)
{
    *ret_n = q->n_routes;
    return q->routes;
}
