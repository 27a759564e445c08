/* SPDX-License-Identifier: Apache-2.0 */
/* merge.h - segments become fewer and larger ones: which go together, and how a tenant's parts of
 * several segments become one part.
 * Promise: the merged part holds the same set of entries per stream, exact repeats once, in
 * (time, arrival) order; arrival is the order of the sources, then of their runs.  Chunks that
 * need no mixing are copied as they are.
 * Threads: pure but for the sources' pread; one thread owns a struct merge. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"

struct arena;
struct segment;        /* chunk/segment.h */
struct segment_writer; /* chunk/segment.h */

/* ---- which segments ---- */

enum {
    MERGE_MAX_SOURCES = 32, /* of one merge: each keeps a chunk decoded */
    /* Directories that stand in memory at a time, some 256 bytes for each stream. */
    MERGE_MAX_STREAMS = 512 << 10,
};
struct merge_candidate {
    uint64_t bytes;
    uint64_t n_streams; /* of its largest part */
};
/* How many of the first of v, in order of arrival, one merge takes: at least one. */
size_t merge_choose(const struct merge_candidate *v, size_t n, uint64_t max_bytes);

/* ---- which objects ---- */

struct merge_tenant {
    struct str_view name;
    uint64_t bytes;  /* of its parts in all sources */
    uint32_t object; /* 0, 1, ...: where it goes */
};
/* All tenants of the sources, by name; names borrow the sources. */
size_t merge_list_tenants(struct arena *arena, struct segment *const *sources, size_t n_sources,
                          struct merge_tenant **ret);
/* Fills `object`: a tenant of at least a quarter of object_bytes has one of its own, the others
 * share objects, each closed past that size.  Returns the number of objects. */
uint32_t merge_plan_objects(struct merge_tenant *v, size_t n, uint64_t object_bytes);

/* ---- how ---- */

struct merge;
struct merge *merge_new(void);
void merge_free(struct merge *m);
/* Writes the parts of one tenant, one for each period.  sources: at most MERGE_MAX_SOURCES, in
 * order of arrival. */
int merge_write_tenant(struct merge *m, struct segment *const *sources, size_t n_sources,
                       struct str_view tenant, struct segment_writer *w, struct err *err);
/* What it holds between calls; the most that it held since the last call of this. */
uint64_t merge_peak_bytes(struct merge *m);
struct merge_counts {
    uint64_t copied_chunks, decoded_chunks, repeats;
};
struct merge_counts merge_counts(const struct merge *m); /* since merge_new */
