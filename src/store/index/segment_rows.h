/* SPDX-License-Identifier: Apache-2.0 */
/* segment_rows.h - parts of a segment as the index takes them, from what the segment says of
 * itself. Threads: none of this is shared. */
#pragma once
#include "chunk/segment.h"
#include "store/index/index.h"

struct segment_rows {
    struct index_part *v; /* what they look at lives until the next clear */
    size_t n, cap;
    struct part **parts; /* as many */
    size_t cap_parts;
    struct index_part_series *series; /* of all of them */
    size_t n_series, cap_series;
};
void segment_rows_clear(struct segment_rows *r);
void segment_rows_deinit(struct segment_rows *r);
/* Reads a part's directory. */
int segment_rows_add(struct segment_rows *r, const struct segment *segment, uint32_t part_no,
                     struct err *err);
/* After the last add: v is whole. */
void segment_rows_end(struct segment_rows *r);
