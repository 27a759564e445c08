/* SPDX-License-Identifier: Apache-2.0 */
/* part_row.h - one index row: which rows of a segment part belong to which series.
 * Packed in groups of 64 series in number order, with a table of groups in front, so that a query
 * for a few series decodes a few groups.  Every group has its own checksum; that of the rest goes
 * on from `key_crc`, the CRC-32C of the key that the row stands under. Threads: pure. */
#pragma once
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "chunk/segment.h"

struct part_row_series {
    uint32_t sid;
    const struct segment_run *runs;
    size_t n_runs; /* at least 1 */
};
/* v ascending by sid, each once; run times lie within min..max. */
void part_row_encode(struct buf *out, uint32_t key_crc, int64_t min_ts_ns, int64_t max_ts_ns,
                     const struct part_row_series *v, size_t n);

/* An opened row; borrows it. */
struct part_row {
    int64_t min_ts_ns, max_ts_ns;
    uint32_t n_series, n_groups;
    struct str_view table, groups;
};
/* Checks the header and the table of groups. */
int part_row_open(struct part_row *ret, uint32_t key_crc, struct str_view row, struct err *err);
/* Reads all of it: every number is below n_sids, every series has a run. */
int part_row_check(const struct part_row *d, uint32_t n_sids, struct err *err);
/* A run of series wanted[at]. */
typedef void part_row_run_fn(void *ctx, size_t at, const struct segment_run *run);
/* All runs of the wanted series (ascending numbers), by series. */
int part_row_select(const struct part_row *d, const uint32_t *wanted, size_t n_wanted,
                    part_row_run_fn *fn, void *ctx, struct err *err);
/* wanted[at] is in the part. */
typedef void part_row_meet_fn(void *ctx, size_t at);
/* Which of the wanted series (ascending numbers) are there, whatever their runs. */
int part_row_meet(const struct part_row *d, const uint32_t *wanted, size_t n_wanted,
                  part_row_meet_fn *fn, void *ctx, struct err *err);
