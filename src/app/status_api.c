/* SPDX-License-Identifier: Apache-2.0 */
#include "app/status_api.h"

#include "base/log.h"
#include "base/metrics.h"
#include "model/tenant.h"

GAUGE_BY(build_info, "loki_build_info", "1, labelled with what was built", "version", "revision",
         "branch", "goversion");

static const char *const text_type = "text/plain; charset=utf-8";
static const char *const json_type = "application/json";

void status_add_module(struct status_api *s, struct status_module m)
{
    if (s->n_modules < STATUS_MAX_MODULES)
        s->modules[s->n_modules++] = m;
}

static bool module_is_ready(const struct status_module *m, struct buf *why)
{
    return !m->ready || m->ready(m->self, why);
}

bool status_is_ready(struct status_api *s, struct buf *why)
{
    if (atomic_load(&s->stopping)) {
        buf_put(why, SV("Application is stopping\n"));
        return false;
    }
    bool all = true;
    for (unsigned i = 0; i < s->n_modules; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        if (module_is_ready(&s->modules[i], &text)) {
            buf_put(why, buf_view(&text));
            continue;
        }
        buf_printf(why, "%c%s not ready: %.*s\n", s->modules[i].name[0] - 'a' + 'A',
                   s->modules[i].name + 1, SV_ARG(buf_view(&text)));
        all = false;
    }
    return all;
}

static void on_ready(void *ctx, struct http_request *req)
{
    CLEANUP(buf_deinit) struct buf why = BUF_INIT;
    struct buf body = BUF_INIT;
    bool ready = status_is_ready(ctx, &why);
    if (ready)
        buf_put(&body, SV("ready\n"));
    buf_put(&body, buf_view(&why));
    http_reply(req, ready ? 200 : 503, text_type, &body);
}

static void on_metrics(void *ctx, struct http_request *req)
{
    METRIC_SET(&build_info, 1, SV(LOKI_API_VERSION), SV("halogi-" HALOGI_VERSION), SV("main"),
               SV("none"));
    struct buf body = BUF_INIT;
    metrics_write(&body);
    http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void on_config(void *ctx, struct http_request *req)
{
    struct status_api *s = ctx;
    struct str_view mode = http_param_get(req, SV("mode"));
    enum conf_print print = CONF_PRINT_ALL;
    if (mode.p && sv_eq(mode, SV("diff")))
        print = CONF_PRINT_DIFF;
    else if (mode.p && sv_eq(mode, SV("defaults")))
        print = CONF_PRINT_DEFAULTS;
    struct buf body = BUF_INIT;
    conf_print_yaml(s->conf->table, print, &body);
    http_reply(req, 200, text_type, &body);
}

static void list_damage(void *ctx, struct str_view text)
{
    struct buf *body = ctx;
    buf_printf(body, "damaged => %.*s\n", SV_ARG(text));
}

static void on_services(void *ctx, struct http_request *req)
{
    struct status_api *s = ctx;
    struct buf body = BUF_INIT;
    bool stopping = atomic_load(&s->stopping);
    for (unsigned i = 0; i < s->n_modules; i++) {
        CLEANUP(buf_deinit) struct buf why = BUF_INIT;
        bool ready = module_is_ready(&s->modules[i], &why);
        buf_printf(&body, "%s => %s\n", s->modules[i].name,
                   stopping ? "Stopping"
                   : ready  ? "Running"
                            : "Starting");
    }
    uint64_t n_more = s->segments ? segments_each_damage(s->segments, list_damage, &body) : 0;
    if (n_more)
        buf_printf(&body, "damaged => %llu more\n", (unsigned long long)n_more);
    http_reply(req, 200, text_type, &body);
}

static void on_log_level(void *ctx, struct http_request *req)
{
    struct buf body = BUF_INIT;
    if (req->method == HTTP_GET) {
        buf_printf(&body, "{\"message\":\"Current log level is %s\"}",
                   log_level_name(log_get_level()));
        http_reply(req, 200, json_type, &body);
        return;
    }
    struct str_view text = http_param_get(req, SV("log_level"));
    enum log_level level;
    if (!text.p || !log_level_parse(text, &level)) {
        buf_put(&body, SV("{\"status\":\"failed\",\"message\":\"log_level is not one of debug, "
                          "info, warn, error\"}"));
        http_reply(req, 400, json_type, &body);
        return;
    }
    log_set_level(level);
    buf_printf(&body, "{\"status\":\"success\",\"message\":\"Log level set to %s\"}",
               log_level_name(level));
    http_reply(req, 200, json_type, &body);
}

static void on_buildinfo(void *ctx, struct http_request *req)
{
    struct buf body = BUF_INIT;
    buf_put(&body, SV("{\"version\":\"" LOKI_API_VERSION "\",\"revision\":\"halogi-" HALOGI_VERSION
                      "\",\"branch\":\"main\",\"buildUser\":\"\",\"buildDate\":\"\","
                      "\"goVersion\":\"\"}"));
    http_reply(req, 200, json_type, &body);
}

static void on_flushed(void *ctx, int result, const struct err *err)
{
    struct http_request *req = ctx;
    struct buf empty = BUF_INIT;
    if (result < 0)
        http_reply_err(req, err, true);
    else
        http_reply(req, 204, NULL, &empty);
}

static void on_flush(void *ctx, struct http_request *req)
{
    struct status_api *s = ctx;
    if (s->ingester.ops)
        s->ingester.ops->flush(s->ingester.self, on_flushed, req);
    else
        on_flushed(req, 0, NULL);
}

/* The limits of the tenant that asks; NULL after an answer was given. */
static const struct limits *limits_of_request(struct status_api *s, struct http_request *req)
{
    const struct tenant_policy policy = app_conf_tenants(s->conf);
    struct str_view tenant;
    struct err err = ERR_INIT;
    if (tenant_one(&policy, http_header(req, "X-Scope-OrgID"), &tenant, &err) < 0) {
        http_reply_err(req, &err, true);
        return NULL;
    }
    return limits_of(&s->limits, tenant);
}

static bool is_published(void *ctx, const struct conf_row *row)
{
    const struct conf_strings *allowed =
        &((struct status_api *)ctx)->conf->top.tenant_limits_allow_publish;
    return sv_which(sv_of(row->key), allowed->v, allowed->n) < allowed->n;
}

static void on_drilldown_limits(void *ctx, struct http_request *req)
{
    const struct limits *limits = limits_of_request(ctx, req);
    if (!limits)
        return;
    struct buf body = BUF_INIT;
    buf_put(&body, SV("{\"limits\":"));
    conf_rows_print_json(limits_rows, limits_n_rows, limits, is_published, ctx, &body);
    buf_put(&body, SV(",\"pattern_ingester_enabled\":false,\"version\":\"" LOKI_API_VERSION "\"}"));
    http_reply(req, 200, json_type, &body);
}

static void on_tenant_limits(void *ctx, struct http_request *req)
{
    const struct limits *limits = limits_of_request(ctx, req);
    if (!limits)
        return;
    struct buf body = BUF_INIT;
    conf_rows_print(limits_rows, limits_n_rows, limits, 0, is_published, ctx, &body);
    http_reply(req, 200, text_type, &body);
}

void status_routes(struct status_api *s, struct http_route *to)
{
    const struct http_route routes[STATUS_N_ROUTES] = {
        {"/ready", HTTP_GET, HTTP_CLASS_STATUS, on_ready, s, 0, false},
        {"/metrics", HTTP_GET, HTTP_CLASS_STATUS, on_metrics, s, 0, false},
        {"/config", HTTP_GET, HTTP_CLASS_STATUS, on_config, s, 0, false},
        {"/services", HTTP_GET, HTTP_CLASS_STATUS, on_services, s, 0, false},
        {"/log_level", HTTP_GET | HTTP_POST, HTTP_CLASS_STATUS, on_log_level, s, 4096, true},
        {"/loki/api/v1/status/buildinfo", HTTP_GET, HTTP_CLASS_STATUS, on_buildinfo, s, 0, false},
        {"/flush", HTTP_GET | HTTP_POST, HTTP_CLASS_STATUS, on_flush, s, 0, false},
        {"/loki/api/v1/drilldown-limits", HTTP_GET, HTTP_CLASS_STATUS, on_drilldown_limits, s, 0,
         false},
        {"/config/tenant/v1/limits", HTTP_GET, HTTP_CLASS_STATUS, on_tenant_limits, s, 0, false},
    };
    memcpy(to, routes, sizeof routes);
}
