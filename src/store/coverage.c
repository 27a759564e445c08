/* SPDX-License-Identifier: Apache-2.0 */
#include "store/coverage.h"

void coverage_of(const struct segment_info *v, size_t n, struct uuid source, struct lsn_set *to)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < v[i].n_coverage; k++) {
            const struct lsn_range *r = &v[i].coverage[k];
            if (uuid_eq(r->source, source) && r->last < UINT64_MAX)
                lsn_set_add(to, r->first, r->last + 1);
        }
}
