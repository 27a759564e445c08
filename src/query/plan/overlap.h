/* SPDX-License-Identifier: Apache-2.0 */
/* overlap.h - where strands of one stream overlap in time: only there can the same entry stand
 * twice, and only there does the order of equal times depend on more than one strand.
 * Threads: pure; a finder belongs to one. */
#pragma once
#include <stddef.h>

#include "query/plan/time_span.h"

/* A stretch that the same two or more spans cover from end to end. */
struct overlap_zone {
    struct time_span at;
    uint32_t n_spans;
};

struct overlap_finder {
    int64_t *starts, *ends; /* scratch */
    size_t cap_starts, cap_ends;
    struct overlap_zone *v; /* zones found by the last call, ascending */
    size_t n, cap;
};
#define OVERLAP_FINDER_INIT ((struct overlap_finder){NULL, NULL, 0, 0, NULL, 0, 0})
void overlap_finder_deinit(struct overlap_finder *f);
/* Fills f->v with all zones that touch `within`; those of the call before are gone. */
void overlap_find(struct overlap_finder *f, const struct time_span *spans, size_t n,
                  struct time_span within);
/* The zones that a span covers are neighbours: zones [*ret_first, *ret_first + result). */
size_t overlap_zones_in(const struct overlap_finder *f, struct time_span span, size_t *ret_first);
