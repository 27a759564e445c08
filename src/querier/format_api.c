/* SPDX-License-Identifier: Apache-2.0 */
/* format_query: LogQL as people like to read it.  Asks for no tenant. */
#include "logql/parse.h"
#include "logql/print.h"
#include "querier/apis.h"
#include "wire/answer.h"

static const char *const json_type = "application/json; charset=utf-8";

void format_api_format(void *ctx, struct http_request *req)
{
    (void)ctx;
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf pretty = BUF_INIT;
    struct buf body = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *expr;
    struct str_view query = http_param_get(req, SV("query"));
    int r = logql_parse(&arena, query.p ? query : SV_EMPTY, &expr, &err);
    if (r == 0)
        logql_format(&pretty, expr);
    buf_put(&body, r == 0 ? SV("{\"status\":\"success\",\"data\":")
                          : SV("{\"status\":\"invalid-query\",\"error\":"));
    json_put_string(&body, r == 0 ? buf_view(&pretty) : sv_of(err.text));
    buf_put(&body, SV("}\n"));
    http_reply(req, r == 0 ? 200 : 400, json_type, &body);
}
