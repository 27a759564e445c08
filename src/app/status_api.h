/* SPDX-License-Identifier: Apache-2.0 */
/* status_api.h - what the server says of itself: readiness, metrics, configuration, limits.
 * Threads: handlers run on the worker pool; set_stopping may come from any thread. */
#pragma once
#include <stdatomic.h>

#include "app/app_conf.h"
#include "cluster/peer.h"
#include "http/server.h"
#include "store/segments.h"

struct status_module {
    const char *name;
    /* True when it serves: then `why` holds lines that an operator should know, mostly none; else
     * what it lacks.  NULL: always, and nothing. */
    bool (*ready)(void *self, struct buf *why);
    void *self;
};
enum { STATUS_MAX_MODULES = 8, STATUS_N_ROUTES = 9 };

struct status_api {
    const struct app_conf *conf; /* fixed at init, as all but the last */
    struct limits_source limits;
    struct peer ingester;      /* ops NULL: none */
    struct segments *segments; /* NULL: none; their damage is listed */
    struct status_module modules[STATUS_MAX_MODULES];
    unsigned n_modules;
    _Atomic bool stopping;
};
void status_add_module(struct status_api *s, struct status_module m);
/* Fills to[STATUS_N_ROUTES]. */
void status_routes(struct status_api *s, struct http_route *to);
/* Everything is ready; else why, in lines.  Lines that an operator should know in either case. */
bool status_is_ready(struct status_api *s, struct buf *why);

#define HALOGI_VERSION "0.1.0"
/* What clients compare to switch features on: the Loki whose API we speak. */
#define LOKI_API_VERSION "3.7.6"
