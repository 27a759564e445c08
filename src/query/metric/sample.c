/* SPDX-License-Identifier: Apache-2.0 */
#include "query/metric/sample.h"

#include <stdbool.h>
#include <string.h>

static bool is_after(const struct sample *a, const struct sample *b)
{
    return a->ts_ns > b->ts_ns || (a->ts_ns == b->ts_ns && a->order > b->order);
}

/* The end of what is in order from `from` on. */
static size_t rise_end(const struct sample *v, size_t from, size_t n)
{
    size_t end = from + 1;
    while (end < n && !is_after(&v[end - 1], &v[end]))
        end++;
    return end < n ? end : n;
}

static void merge_rises(const struct sample *a, size_t n_a, const struct sample *b, size_t n_b,
                        struct sample *to)
{
    while (n_a && n_b) {
        bool second = is_after(a, b);
        *to++ = second ? *b : *a;
        b += second;
        n_b -= second;
        a += !second;
        n_a -= !second;
    }
    if (n_a + n_b)
        memcpy(to, n_a ? a : b, (n_a + n_b) * sizeof *to);
}

size_t samples_spare_bytes(const struct sample *v, size_t n)
{
    return n < 2 || rise_end(v, 0, n) == n ? 0 : n * sizeof *v;
}

/* Merges neighbouring rises until one is left; samples come in few, long ones. */
void samples_sort(struct sample *v, size_t n, struct sample *spare)
{
    struct sample *from = v, *to = spare;
    if (n == 0)
        return;
    while (rise_end(from, 0, n) < n) {
        for (size_t at = 0, mid, end; at < n; at = end) {
            mid = rise_end(from, at, n);
            end = mid < n ? rise_end(from, mid, n) : n;
            merge_rises(from + at, mid - at, from + mid, end - mid, to + at);
        }
        struct sample *t = from;
        from = to;
        to = t;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *from);
}
