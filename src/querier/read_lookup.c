/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/read_lookup.h"

#include "query/several.h"

int read_lookup_open(struct read_request *r, const struct read_lookup_ask *ask, struct lookup *l,
                     struct err *err)
{
    struct lookup_ask of_tenant = {
        .source = &r->q->deps.source,
        .tenant = r->tenants[ask->tenant].name,
        .matchers = ask->matchers,
        .n_matchers = ask->n_matchers,
        .min_ts_ns = ask->start_ns,
        .max_ts_ns = ask->end_ns,
        .control = &r->control,
        .arena = &r->arena,
    };
    *l = (struct lookup){0};
    int ret = 0;
    if (r->n_tenants > 1)
        ret = several_matchers(&r->arena, ask->matchers, ask->n_matchers, of_tenant.tenant,
                               &of_tenant.matchers, &of_tenant.n_matchers, err);
    return ret < 0 ? ret : lookup_open(l, &of_tenant, err);
}
