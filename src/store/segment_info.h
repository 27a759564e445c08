/* SPDX-License-Identifier: Apache-2.0 */
/* segment_info.h - what the catalog knows of a segment, and its record.
 * Threads: pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/uuid.h"
#include "store/period.h"

struct segment;

/* LSNs first..last, both included, of one source. */
struct lsn_range {
    struct uuid source;
    uint64_t first, last;
};

enum segment_place {
    PLACE_LOCAL = 0,  /* key in the store of local segments */
    PLACE_OBJECT = 1, /* key in the object store */
};

/* One live segment, as the catalog keeps it. */
struct segment_info {
    struct uuid uuid;
    enum segment_place place;
    uint8_t level;       /* 0: written by a spill; 1: by a flush; more: by later merges */
    struct str_view key; /* in its store */
    uint64_t bytes;      /* of the file */
    uint64_t generation; /* rises with each segment written here */
    int64_t created_ns;  /* wall clock */
    int64_t min_ts_ns, max_ts_ns;
    uint64_t n_rows, line_bytes;
    uint32_t n_parts;
    const struct period *periods; /* of its parts; ascending by start */
    size_t n_periods;
    const struct lsn_range *coverage; /* ascending by (source, first); [0].first orders segments */
    size_t n_coverage;
};

/* From what the segment says of itself.  `key` is copied; generation and creation time are the
 * header's. */
void segment_info_of(struct arena *arena, const struct segment *segment, enum segment_place place,
                     struct str_view key, struct segment_info *ret);
/* Order of arrival: first covered LSN, then generation, then uuid. */
int segment_order(const struct segment_info *a, const struct segment_info *b);
/* "2026-03-01/<uuid>.seg": where new segments go in either store; day of min_ts_ns. */
struct str_view segment_key(struct arena *arena, struct uuid uuid, int64_t min_ts_ns);
/* Deep copy. */
void segment_info_copy(struct arena *arena, struct segment_info *to,
                       const struct segment_info *from);
/* The record of docs/formats.md, without its key (the uuid), which its checksum covers. */
void segment_info_encode(struct buf *out, const struct segment_info *info);
/* As it stands under the key `uuid`.  Texts and arrays go to the arena.  ERR_CORRUPT,
 * ERR_UNSUPPORTED. */
int segment_info_decode(struct arena *arena, struct uuid uuid, struct str_view record,
                        struct segment_info *ret, struct err *err);
