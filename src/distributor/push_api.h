/* SPDX-License-Identifier: Apache-2.0 */
/* push_api.h - the push routes: HTTP on one side, distributor_push() on the other. */
#pragma once
#include "http/server.h"

struct distributor;
/* One allocation, the caller frees it. */
struct http_route *push_api_routes(struct distributor *d, uint64_t max_body_bytes, size_t *ret_n);
