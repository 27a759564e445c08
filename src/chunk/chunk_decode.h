/* SPDX-License-Identifier: Apache-2.0 */
/* chunk_decode.h - what a chunk_decoder holds.  Inside of chunk_decode.c (sections, times, lines,
 * entries) and chunk_decode_sm.c (metadata); everybody else uses chunk.h.
 * Threads: one. */
#pragma once
#include <zstd.h>

#include "base/arena.h"
#include "chunk/chunk.h"
#include "chunk/sm.h"

/* What stands decoded for the chunk in work. */
enum have {
    HAVE_TS = 1 << 0,
    HAVE_STARTS = 1 << 1,
    HAVE_LINES = 1 << 2,
    HAVE_SM_HEADER = 1 << 3,
    HAVE_SM_OPAQUE = 1 << 4,
    HAVE_SM_ALL = 1 << 5,
    HAVE_ENTRIES = 1 << 6,
};

struct chunk_decoder {
    ZSTD_DCtx *dctx;
    struct chunk_source source;
    struct chunk_meta meta;
    unsigned loaded; /* section bits whose bytes stand in `stored`, checked */
    unsigned have;
    struct buf stored; /* the payload's place for every section */
    struct buf planes; /* scratch of the length column */
    struct buf blob;   /* decoded lines, where they are compressed */
    struct str_view lines;
    int64_t *ts_ns;
    uint32_t *start;
    struct entry *entries;
    size_t cap_ts, cap_start, cap_entries;
    struct arena sm_arena;
    struct sm_header sm;
    struct sm_column *sm_columns; /* of all keys; row_value NULL: not decoded yet */
    const uint32_t *opaque_start;
    struct str_view opaque_bytes;
    struct buf sm_encoded; /* rows' metadata, of the entries */
    struct chunk_counts counts;
};

/* The bytes of a loaded section. */
struct str_view chunk_stored_section(const struct chunk_decoder *d, enum chunk_section s);
