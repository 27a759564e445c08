/* SPDX-License-Identifier: Apache-2.0 */
#include "distributor/push_api.h"

#include "distributor/distributor.h"

static void on_reply(void *ctx, int status, struct str_view text)
{
    struct http_request *req = ctx;
    if (text.len == 0) {
        struct buf none = BUF_INIT;
        http_reply(req, status, NULL, &none);
        return;
    }
    if (status == 503)
        http_reply_header(req, "Retry-After", SV("1"));
    http_reply_text(req, status, text, true);
}

static void push(struct distributor *d, struct http_request *req, bool legacy)
{
    struct push_request p = {
        .tenant_header = http_header(req, "X-Scope-OrgID"),
        .content_type = http_header(req, "Content-Type"),
        .content_encoding = http_header(req, "Content-Encoding"),
        .legacy = legacy,
        .body = req->body,
    };
    distributor_push(d, &p, on_reply, req);
}

static void handle_push(void *ctx, struct http_request *req)
{
    push(ctx, req, false);
}

static void handle_legacy_push(void *ctx, struct http_request *req)
{
    push(ctx, req, true);
}

void push_api_routes(struct distributor *d, uint64_t max_body_bytes, struct http_route *to)
{
    const struct http_route routes[PUSH_API_N_ROUTES] = {
        {"/loki/api/v1/push", HTTP_POST, HTTP_CLASS_INGEST, handle_push, d, max_body_bytes, false},
        {"/api/prom/push", HTTP_POST, HTTP_CLASS_INGEST, handle_legacy_push, d, max_body_bytes,
         false},
    };
    memcpy(to, routes, sizeof routes);
}
