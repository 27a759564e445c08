/* SPDX-License-Identifier: Apache-2.0 */
/* querier.h - the role that answers: HTTP routes of the read path over recent and stored data.
 * Promise: an answer depends on the stored entries and the request alone, not on where the entries
 * lie, on the number of workers, or on filters and statistics, which only ever skip work.
 * Every request meets a deadline, a byte budget (charged to the ledger) and the limits of its
 * tenant; a client that hangs up ends its query.
 * Threads: handlers prepare a request on the HTTP pool's workers; it runs on a thread of the
 * querier's own, which may wait for chunk tasks in the pool.  The routes live as long as the
 * querier. */
#pragma once
#include "base/conf/conf.h"
#include "http/server.h"
#include "model/limits.h"
#include "model/tenant.h"
#include "query/source.h"

struct ledger;
struct pool;

struct querier_conf {
    uint64_t max_concurrent;      /* queries that run at once; others wait their turn */
    uint64_t max_query_bytes;     /* memory of one query */
    uint64_t max_outstanding;     /* waiting queries per tenant, then 429 */
    int64_t log_longer_than_ns;   /* queries that took as long are logged; 0: none, < 0: all */
    bool align_queries_with_step; /* query_range: start down and end up to multiples of step */
    bool multi_tenant_queries;    /* querier.multi_tenant_queries_enabled */
    bool fail_on_damaged_data;    /* 500, rather than an answer without it and a warning */
    bool use_filters;             /* off: skip no chunk by filter or statistics (tests) */
};
extern const struct conf_row querier_conf_rows[]; /* section "querier" */
extern const size_t querier_conf_n_rows;
extern const struct conf_row query_range_conf_rows[]; /* section "query_range", same struct */
extern const size_t query_range_conf_n_rows;
extern const struct conf_row querier_frontend_conf_rows[]; /* of section "frontend", same struct */
extern const size_t querier_frontend_conf_n_rows;

/* All borrowed; they outlive the querier. */
struct querier_deps {
    struct query_source source;
    struct pool *pool;     /* chunk tasks run in POOL_QUERY */
    struct ledger *ledger; /* LEDGER_QUERIES */
    struct limits_source limits;
    struct tenant_policy tenants;
};

struct querier;
/* conf is copied.  < 0: a setting is out of bounds, or a thread cannot be started. */
int querier_open(struct querier **ret, const struct querier_conf *conf,
                 const struct querier_deps *deps, struct err *err);
/* After the HTTP server was closed: no request is running. */
void querier_close(struct querier *q);
const struct http_route *querier_routes(struct querier *q, size_t *ret_n);
