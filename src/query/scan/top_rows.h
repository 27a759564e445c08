/* SPDX-License-Identifier: Apache-2.0 */
/* top_rows.h - the first `limit` rows of a log query, whatever order they come in.
 * Order: time (rising forward, falling backward); equal times by stream, then within the stream by
 * arrival (rising forward, falling backward).
 * Promise: what is kept depends on the rows offered alone, not on their order.
 * Threads: any may offer; finish and the rest belong to the owner. */
#pragma once
#include "base/control.h"
#include "base/thread.h"
#include "query/rows/log_result.h"

struct top_row {
    int64_t ts_ns;
    uint32_t stream; /* rank of the stored stream */
    uint64_t order;  /* of arrival within the stream */
    struct str_view line;
    /* Encoded (model/labels.h).  Of the answer's stream; metadata and parsed labels of the row,
     * empty for none. */
    struct str_view labels, sm, parsed;
};

struct kept_row;
struct top_rows {
    struct query_control *control; /* fixed at init */
    size_t limit;                  /* fixed at init; at least 1 */
    bool backward;                 /* fixed at init */
    struct mutex mu;
    struct kept_row **v; /* guarded by mu: a heap, the worst row first once it is full */
    size_t n, cap;       /* guarded by mu */
    /* Time of the worst row kept once the heap is full; else the time that no row is worse than. */
    _Atomic int64_t bound_ns;
};
/* limit > 0.  Kept rows are charged to control, which is borrowed. */
void top_rows_init(struct top_rows *t, size_t limit, bool backward, struct query_control *control);
void top_rows_deinit(struct top_rows *t);
/* False only when no row of that time can be among the kept any more. */
static inline bool top_rows_may_keep(const struct top_rows *t, int64_t ts_ns)
{
    int64_t bound = atomic_load_explicit(&t->bound_ns, memory_order_relaxed);
    return t->backward ? ts_ns >= bound : ts_ns <= bound;
}
/* Copies what it keeps.  < 0: no memory for the query. */
int top_rows_offer(struct top_rows *t, const struct top_row *row, struct err *err);
/* Puts the kept rows in order and returns how many; nothing may be offered afterwards. */
size_t top_rows_sort(struct top_rows *t);
/* Of the row in place i once they are sorted, as long as it was not taken. */
int64_t top_rows_ts_ns(const struct top_rows *t, size_t i);
/* Moves row i, once, to the end of the result, which stays charged to t's control. */
int top_rows_take(struct top_rows *t, size_t i, struct log_result *ret, struct err *err);
