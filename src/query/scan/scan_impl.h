/* SPDX-License-Identifier: Apache-2.0 */
/* scan_impl.h - a scan from inside; only scan*.c include it.
 *     scan.c        tasks, workers, rounds
 *     scan_chunk.c  a chunk: select rows, count
 *     scan_prune.c  what need not be read of it
 *     scan_head.c   a head strand
 *     scan_row.c    a row: pipeline, then the answer
 *     scan_zone.c   zones, stretches, and which round reads what */
#pragma once
#include "chunk/scan.h"
#include "query/damage.h"
#include "query/scan/row_metadata.h"
#include "query/scan/scan.h"
#include "wire/stats.h"

/* One query, shared by the workers. */
struct scanned_query {
    const struct scan_query *q;
    struct zone *zones; /* of plan->zones */
    uint64_t *dropped;  /* bit per stream: no row of it can pass */
    const struct line_test *line_tests;
    size_t n_line_tests;
    const struct label_test *label_tests;
    size_t n_label_tests;
    const struct value_needles *value_needles;
    const struct name_list *metadata; /* keys that matter; NULL: all */
    bool is_static;                   /* see pipeline_is_static */
    bool bare;                        /* zones need no lines at first */
    bool can_skip;                    /* some line test knows filters */
};

struct scan_job {
    const struct plan *plan;
    struct scanned_query *queries;
    size_t n_queries;
    bool backward;
    bool is_second_round; /* only scan_zone.c asks */
    uint64_t charged_bytes;
    struct scan_worker *workers;
    unsigned n_workers;
    _Atomic size_t next_task;
    bool *left_out;     /* per task: its chunk is damaged.  Written by who does the task */
    _Atomic bool again; /* something was given of a chunk that was then left out */
    struct mutex mu;
    int result;      /* guarded by mu: of the first that failed */
    struct err *err; /* guarded by mu */
};

struct set_series {
    uint32_t stamp; /* query_worker.set_stamp when it was written */
    uint32_t series;
};

/* One query of one worker. */
struct query_worker {
    const struct scanned_query *state;
    struct scan_worker *worker;
    struct pipeline_runner runner;
    uint32_t stream; /* that the runner is at, or SCAN_NO_STREAM */
    struct row_metadata metadata;
    struct range_leaf own, *leaf; /* leaf: own, or the answer itself */
    struct leaf_cell cell;        /* of the row before; its times are empty at first */
    struct buf labels, sm, parsed;
    uint32_t *series_of_stream;    /* of rows without metadata: SERIES_*; NULL: not used yet */
    struct set_series *set_series; /* per metadata set, of the strand in work */
    size_t cap_set_series;
    uint32_t set_stamp;
};
enum { SCAN_NO_STREAM = UINT32_MAX };
/* What a static pipeline makes of all rows of one stream and one metadata. */
enum {
    SERIES_UNKNOWN = UINT32_MAX,
    SERIES_DROPPED = UINT32_MAX - 1,
    SERIES_ERROR = UINT32_MAX - 2
};

/* Neighbouring rows [from, to) of a strand: inside a zone, or between zones. */
struct stretch {
    uint32_t from, to;
    size_t zone; /* or SCAN_NO_ZONE */
};
#define SCAN_NO_ZONE SIZE_MAX

struct scan_worker {
    struct scan_job *scan;
    struct chunk_decoder *decoder;
    struct row_set rows, tmp[2];
    struct row_metadata all_metadata; /* of zones, where the query's own has not all keys */
    struct query_stats stats;
    struct query_worker *queries;
    struct stretch *stretches;
    size_t n_stretches, cap_stretches;
    struct entry *entries;
    size_t cap_entries;
    uint64_t charged_bytes;
    uint32_t n_rows; /* that went down a pipeline */
};

static inline bool scan_drops_stream(const struct scanned_query *q, uint32_t stream)
{
    return q->dropped[stream / 64] >> (stream % 64) & 1;
}
static inline struct query_control *scan_control(const struct scan_worker *w)
{
    return w->scan->plan->env->control;
}
static inline bool scan_wants_ts(const struct query_worker *q, int64_t ts_ns)
{
    return !q->state->q->top || top_rows_may_keep(q->state->q->top, ts_ns);
}

/* ---- scan_row.c ---- */

/* A row that passed the line tests.  `position` orders rows of one stream and time.  all_metadata:
 * e has not just the keys that matter to the pipeline. */
enum { SCAN_E_NEEDS_METADATA = 1 }; /* call again with all of it */
int scan_row(struct query_worker *q, uint32_t stream, uint32_t position, const struct entry *e,
             bool all_metadata, struct err *err);
/* Entries of one stream in (time, arrival) order, no time of which is met again elsewhere.
 * tested: they passed the line tests. */
int scan_entries(struct query_worker *q, uint32_t stream, const struct entry *v, size_t n,
                 bool tested, struct err *err);
/* Line tests, and what label filters say of the line. */
bool scan_may_keep(struct query_worker *q, uint32_t stream, const struct entry *e);
/* Of a static pipeline: the series of that stream's rows with that metadata, or SERIES_*. */
int scan_static_series(struct query_worker *q, uint32_t stream, struct str_view sm, uint32_t *ret,
                       struct err *err);

/* ---- scan_zone.c: rounds, and what they read ---- */

/* Something of the task is read in this round. */
bool scan_wants_task(const struct scan_job *s, const struct plan_task *t);
/* Something of the strand is read in this round for the query. */
bool scan_wants_strand(const struct query_worker *q, const struct plan_strand *strand);
/* Entries are brought to zones without their lines. */
bool scan_shares_bare(const struct query_worker *q);
/* After a round whose workers have ended: prepares the next one; false when there is none. */
bool scan_next_round(struct scan_job *s);

/* Cuts rows [from, to) of a strand, whose times rise, at its zones; ts[i] is the time of row i.
 * Stretches that this round does not read are left out. */
void scan_cut(struct scan_worker *w, const struct query_worker *q, const struct plan_strand *strand,
              const int64_t *ts_ns, uint32_t from, uint32_t to);
/* The stretch that comes i-th in the direction of the scan. */
const struct stretch *scan_stretch(const struct scan_worker *w, size_t i);
/* The first row of [from, to) after that time. */
uint32_t scan_row_after(const int64_t *ts_ns, uint32_t from, uint32_t to, int64_t ts);

/* Brings entries of a strand to a zone; their lines may go away afterwards. */
int scan_share(struct query_worker *q, const struct plan_strand *strand, size_t zone,
               const struct entry *v, size_t n, struct err *err);
/* The strand has brought all it has to its zones; takes up zones that are complete. */
int scan_arrive(struct query_worker *q, const struct plan_strand *strand, struct err *err);

/* ---- chunks ---- */

/* A chunk in work for one query. */
struct chunk_scan {
    struct scan_worker *w;
    struct query_worker *q;
    const struct plan_task *t;
    const struct plan_part *part;
    const struct chunk_meta *meta;
    const int64_t *ts_ns;     /* NULL: not asked for yet, as below */
    const uint32_t *start;    /* of lines */
    struct chunk_lines lines; /* .start */
    bool has_metadata, has_all_metadata;
    bool gave;     /* some of it to leaves, zones or top rows */
    bool all_rows; /* nothing was tested: all rows of wanted runs; else those of w->rows */
};
struct damage_place scan_place_of(const struct chunk_scan *c);
/* False only when no row of the chunk can pass; reads nothing of it. */
int scan_may_pass(const struct chunk_scan *c, bool *ret, struct err *err);
/* Takes rows out of w->rows whose metadata fails a leading label filter. */
int scan_narrow_by_labels(const struct chunk_scan *c, struct err *err);
/* The same for lines that cannot have the value that a label filter asks for; lines are decoded. */
void scan_narrow_by_values(const struct chunk_scan *c);
/* Whether the chunk may have a row with that metadata key. */
bool scan_chunk_has_key(const struct chunk_scan *c, struct str_view name);

/* ---- the tasks ---- */

int scan_chunk(struct scan_worker *w, const struct plan_task *t, struct err *err);
int scan_head(struct scan_worker *w, const struct plan_task *t, struct err *err);
