/* SPDX-License-Identifier: Apache-2.0 */
/* index.h - matchers and time -> series, and where their rows are.
 * One LMDB environment (a table) per period.  Rows are written before the catalog names their
 * segment and deleted after it stopped to; readers skip rows of segments that their view does not
 * hold, so a row counts from the moment its segment is in the view.
 * Answers are copied to the caller's arena; no LMDB transaction outlives a call.
 * Errors: ERR_CORRUPT for a row that does not check, ERR_UNSUPPORTED for a table of another format,
 * ERR_OVER_BUDGET as index_query says, or the system's.
 * Threads: readers any; writers (add, remove, drop) serialise inside. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "chunk/segment.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "store/period.h"
#include "store/segment_info.h"

struct view;
struct live_segment;
struct index;

struct index_conf {
    uint64_t map_bytes; /* first map of a table; 0: 1 GiB.  It grows by itself */
    unsigned max_open;  /* tables open at once; 0: 32 */
};
/* folder holds a folder per table, "<start ns>-<length ns>". */
int index_open(struct index **ret, const char *folder, const struct index_conf *conf,
               struct err *err);
void index_close(struct index *ix); /* NULL is fine; nobody is in a call */
/* A segment in the catalog whose table is not here would silently not be read. */
bool index_has_table(struct index *ix, struct period p);

/* ---- writing ---- */

struct index_part_series {
    struct str_view labels; /* encoded (model/labels.h) */
    uint64_t hash;          /* labels_hash_encoded(labels) */
    const struct segment_run *runs;
    size_t n_runs;
};
/* One part of one segment: a tenant in a period. */
struct index_part {
    uint32_t part_no; /* in the segment's table of parts */
    struct str_view tenant;
    int64_t period_start_ns, period_length_ns;
    int64_t min_ts_ns, max_ts_ns;
    const struct index_part_series *series; /* each label set once */
    size_t n_series;
};
/* Adds all parts of a segment: one transaction per period, durable when it returns.  Adding the
 * same segment again changes nothing.  Parts must come grouped by period. */
int index_add_segment(struct index *ix, struct uuid segment, const struct index_part *parts,
                      size_t n_parts, struct err *err);
/* The same, with what the segment says of itself: every part's directory is read and checked. */
int index_add_segment_file(struct index *ix, const struct segment *segment, struct err *err);
/* Forgets the rows of these segments.  For segments that no view holds.  `periods` are all that the
 * segments have parts in, in any order, repeats allowed: other tables are not looked at.  NULL:
 * they are not known, and every table is. */
int index_remove_segments(struct index *ix, const struct uuid *segments, size_t n,
                          const struct period *periods, size_t n_periods, struct err *err);
/* Removes a table with all its rows. */
int index_drop_period(struct index *ix, struct period p, struct err *err);
/* Keeps only rows of segments that `alive` names (at start, after a crash). */
typedef bool index_alive_fn(void *ctx, struct uuid segment);
/* *ret_removed: segments, counted once for each table. */
int index_sweep(struct index *ix, index_alive_fn *alive, void *ctx, uint64_t *ret_removed,
                struct err *err);

/* ---- reading ---- */

/* Times min..max, both included.  n_matchers may be 0 (all series). */
struct index_query {
    const struct view *view;
    struct str_view tenant;
    const struct matcher *matchers; /* compiled */
    size_t n_matchers;
    int64_t min_ts_ns, max_ts_ns;
    struct regex_scratch *scratch; /* of the calling thread; NULL: one is made when needed */
    uint64_t max_bytes; /* an answer that would take more of the arena is ERR_OVER_BUDGET; 0: any */
};

struct index_series {
    struct str_view labels; /* encoded */
    uint64_t hash;
};
struct index_selected_run {
    uint32_t series;  /* index into index_selection.series */
    uint32_t arrival; /* rises from run to run of one series in this part */
    struct segment_run run;
};
struct index_selected_part {
    struct live_segment *segment; /* borrowed from the view */
    size_t segment_order;         /* its place in the view */
    uint32_t part_no;
    int64_t min_ts_ns, max_ts_ns;    /* of the part */
    struct index_selected_run *runs; /* by chunk, then first row */
    size_t n_runs;
};
struct index_selection {
    struct index_series *series; /* each label set once, those with a run only; any order */
    size_t n_series;
    struct index_selected_part *parts; /* coverage order, then part number */
    size_t n_parts;
    uint64_t n_parts_seen; /* parts of the tenant that overlap the range, selected or not */
};
/* Runs that overlap [min, max] of series that match. */
int index_select(struct index *ix, const struct index_query *q, struct arena *arena,
                 struct index_selection *ret, struct err *err);

/* Series with a run that overlaps [min, max]. */
int index_series(struct index *ix, const struct index_query *q, struct arena *arena,
                 struct index_series **ret, size_t *ret_n, struct err *err);

struct index_names {
    struct str_view *v; /* sorted bytewise, each once */
    size_t n;
};
/* Of series with a run that overlaps [min, max]. */
int index_label_names(struct index *ix, const struct index_query *q, struct arena *arena,
                      struct index_names *ret, struct err *err);
/* The same for the values of one name. */
int index_label_values(struct index *ix, const struct index_query *q, struct str_view name,
                       struct arena *arena, struct index_names *ret, struct err *err);

struct index_stats {
    uint64_t n_streams, n_chunks, n_entries, n_bytes;
};
/* Whole runs that overlap [min, max]; chunks are counted once per part. */
int index_stats(struct index *ix, const struct index_query *q, struct index_stats *ret,
                struct err *err);
