/* SPDX-License-Identifier: Apache-2.0 */
/* distributor.h - pushes come in here: decoded, judged by the tenant's limits, handed to an
 * ingester, and answered once what was accepted is on stable storage.
 * Promise: a 2xx or a partial 400 is sent only after the ingester's done; on 429 for the tenant's
 * rate nothing of the request is stored.
 * Threads: routes run on the HTTP workers; answers come from the ingester's thread. */
#pragma once
#include "cluster/peer.h"
#include "http/server.h"
#include "model/limits.h"
#include "model/tenant.h"

struct ledger;

struct distributor_conf { /* block `distributor` */
    uint64_t max_recv_msg_size_bytes;
    uint64_t max_decompressed_size_bytes;
    uint64_t max_inflight_bytes; /* 0: only the ledger bounds them */
};
extern const struct conf_row distributor_rows[];
extern const size_t distributor_n_rows;

struct distributor;
/* Keeps copies; what peer, limits and ledger point to must outlive it.  ledger may be NULL. */
int distributor_open(struct distributor **ret, const struct distributor_conf *conf,
                     const struct tenant_policy *tenants, struct peer peer,
                     struct limits_source limits, struct ledger *ledger, struct err *err);
/* Every push must have been answered. */
void distributor_close(struct distributor *d);
/* /loki/api/v1/push and /api/prom/push; lives as long as the distributor. */
const struct http_route *distributor_routes(struct distributor *d, size_t *ret_n);

/* The same without HTTP: for tests and for other receivers. */
struct push_request {
    struct str_view tenant_header; /* p == NULL: absent */
    struct str_view content_type, content_encoding;
    bool legacy;          /* /api/prom/push */
    struct str_view body; /* must live until replied */
};
/* text is empty with 204, else one line without its newline.  Called exactly once, on any
 * thread. */
typedef void push_reply_fn(void *ctx, int status, struct str_view text);
void distributor_push(struct distributor *d, const struct push_request *req, push_reply_fn *reply,
                      void *ctx);
