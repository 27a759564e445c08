/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engine_impl.h"

int engine_scan(const struct query_env *env, const struct selection_query *q, enum plan_order order,
                const struct scan_query *queries, size_t n_queries, struct err *err)
{
    struct selection selection;
    struct plan plan = {0};
    int r = selection_open(&selection, env, q, err);
    if (r == 0)
        r = plan_open(&plan, &selection, order, err);
    if (r == 0)
        r = scan_run(&plan, queries, n_queries, err);
    plan_close(&plan);
    selection_close(&selection);
    return r;
}
