/* SPDX-License-Identifier: Apache-2.0 */
/* distributor.h - pushes come in here: decoded, judged by the tenant's limits, handed to an
 * ingester, and answered once what was accepted is on stable storage.
 * Promise: a 2xx or a partial 400 is sent only after the ingester's done; on 429 for the tenant's
 * rate nothing of the request is stored.
 * Threads: any may push; answers come from the ingester's thread, or before distributor_push()
 * returns. */
#pragma once
#include "base/conf/conf.h"
#include "cluster/peer.h"
#include "model/limits.h"
#include "model/tenant.h"

struct ledger;

struct distributor_conf { /* block `distributor` */
    uint64_t max_recv_msg_size_bytes;
    uint64_t max_decompressed_size_bytes;
    uint64_t max_inflight_bytes; /* 0: only the ledger bounds them */
};
extern const struct conf_row distributor_conf_rows[];
extern const size_t distributor_conf_n_rows;

/* Borrowed; they outlive the distributor. */
struct distributor_deps {
    struct peer peer; /* takes what was accepted */
    struct limits_source limits;
    struct ledger *ledger; /* LEDGER_BODIES; NULL: pushes are not counted */
    struct tenant_policy tenants;
};

struct distributor;
/* conf is copied.  Does not fail today. */
int distributor_open(struct distributor **ret, const struct distributor_conf *conf,
                     const struct distributor_deps *deps, struct err *err);
/* Every push must have been answered, and the peer must be done with those who asked. */
void distributor_close(struct distributor *d);

/* One push, whatever it came through: push_api.h has the HTTP routes. */
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
