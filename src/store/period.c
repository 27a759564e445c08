/* SPDX-License-Identifier: Apache-2.0 */
#include "store/period.h"

#include <stdlib.h>

int64_t period_last_ns(struct period p)
{
    /* The first period may begin before INT64_MIN, where its start is cut. */
    int64_t cut = p.start_ns == INT64_MIN ? INT64_MIN % p.length_ns : 0;
    if (cut != 0)
        return p.start_ns - cut - 1;
    return p.start_ns > INT64_MAX - p.length_ns ? INT64_MAX : p.start_ns + p.length_ns - 1;
}

int period_cmp(const struct period *a, const struct period *b)
{
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return (a->length_ns > b->length_ns) - (a->length_ns < b->length_ns);
}

static int by_start(const void *a, const void *b)
{
    return period_cmp(a, b);
}

size_t periods_sort(struct period *v, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, by_start);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || period_cmp(&v[i], &v[kept - 1]) != 0)
            v[kept++] = v[i];
    return kept;
}
