/* SPDX-License-Identifier: Apache-2.0 */
/* read_lookup.h - a lookup for one of the tenants that a read request asks.
 * Threads: where the request runs.  Only the querier's *_api.c include this. */
#pragma once
#include "querier/read_request.h"
#include "query/lookup.h"

struct read_lookup_ask {
    size_t tenant; /* number of it in the request */
    const struct matcher *matchers;
    size_t n_matchers;
    int64_t start_ns, end_ns; /* both included */
};
/* Of several tenants, matchers on their label choose among them.  Answers live as long as the
 * request.  lookup_close() follows, whatever it returns. */
int read_lookup_open(struct read_request *r, const struct read_lookup_ask *ask, struct lookup *l,
                     struct err *err);
