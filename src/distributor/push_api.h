/* SPDX-License-Identifier: Apache-2.0 */
/* push_api.h - the push routes: HTTP on one side, distributor_push() on the other. */
#pragma once
#include "http/server.h"

struct distributor;
enum { PUSH_API_N_ROUTES = 2 };
/* Fills to[PUSH_API_N_ROUTES]: /loki/api/v1/push and /api/prom/push.  They live as long as the
 * distributor; handlers run on the HTTP workers. */
void push_api_routes(struct distributor *d, uint64_t max_body_bytes, struct http_route *to);
