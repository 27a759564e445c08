/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keyed.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { FEW = 64 }; /* up to here moving each into its place is faster */

static void insert_each(struct keyed *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct keyed x = v[i];
        size_t at = i;
        for (; at > 0 && v[at - 1].key > x.key; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
}

static void place_by_byte(const struct keyed *from, struct keyed *to, size_t n, unsigned shift)
{
    size_t next[256] = {0}, at = 0;
    for (size_t i = 0; i < n; i++)
        next[from[i].key >> shift & 0xff]++;
    for (size_t b = 0; b < 256; b++) {
        size_t count = next[b];
        next[b] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++)
        to[next[from[i].key >> shift & 0xff]++] = from[i];
}

/* The bits in which keys differ; *ret_sorted: they rise already. */
static uint64_t differing_bits(const struct keyed *v, size_t n, bool *ret_sorted)
{
    uint64_t bits = 0;
    *ret_sorted = true;
    for (size_t i = 1; i < n; i++) {
        bits |= v[i].key ^ v[0].key;
        *ret_sorted &= v[i - 1].key <= v[i].key;
    }
    return bits;
}

void keyed_sort(struct keyed *v, size_t n)
{
    bool sorted;
    uint64_t bits = differing_bits(v, n, &sorted);
    if (sorted)
        return;
    if (n <= FEW) {
        insert_each(v, n);
        return;
    }
    struct keyed *spare = mem_alloc(n * sizeof *v), *from = v, *to = spare;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(bits >> shift & 0xff))
            continue;
        place_by_byte(from, to, n, shift);
        struct keyed *t = from;
        from = to;
        to = t;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
    free(spare);
}
