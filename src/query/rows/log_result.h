/* SPDX-License-Identifier: Apache-2.0 */
/* log_result.h - what a log query asks for beside its text, and the rows that answer it.
 * Ownership: a result owns its rows and all that they refer to.
 * Threads: one at a time. */
#pragma once
#include "base/arena.h"
#include "model/labels.h"
#include "model/series_set.h"

struct log_options {
    int64_t start_ns, end_ns; /* start <= ts < end */
    uint64_t limit;           /* over all streams */
    bool backward;
    bool categorize; /* streams are told apart by stream labels alone; sm and parsed are filled */
};
struct log_row {
    int64_t ts_ns;
    uint32_t stream; /* in log_result.streams */
    struct str_view line;
    struct labels sm, parsed; /* categorize only */
};
/* What rows refer to lies in the arena, the set or the parts. */
struct log_result {
    struct arena arena;
    struct series_set streams; /* the label sets of the answer's streams */
    struct log_row *rows;      /* in iteration order: direction, then ties; owned */
    size_t n_rows, cap_rows;
    struct log_result *parts; /* of several tenants: what each answered; owned */
    size_t n_parts;
};
void log_result_init(struct log_result *r);
void log_result_deinit(struct log_result *r); /* all zeros and NULL are fine */
/* Leaves out each row closer than the interval to the one before it that stays: what `interval`
 * does.  It comes after the limit, as in the recorded answers. */
void log_result_thin(struct log_result *r, int64_t interval_ns);
