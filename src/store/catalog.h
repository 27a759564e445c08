/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.h - which segments live, and how far the WAL is covered by them.
 * One small LMDB environment.  Promise: catalog_commit() changes the set of live segments and the
 * covered LSN in one durable step, or not at all.  Index rows and files of segments that it does
 * not name do not exist.
 * Threads: any; commits serialise. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/uuid.h"

struct catalog;

/* LSNs first..last, both included, of one source. */
struct lsn_range {
    struct uuid source;
    uint64_t first, last;
};

enum segment_place {
    PLACE_LOCAL = 0,  /* key in the store of local segments */
    PLACE_OBJECT = 1, /* key in the object store */
};

/* A table that the segment has parts in. */
struct segment_period {
    int64_t start_ns, length_ns;
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
    const struct segment_period *periods; /* ascending by start */
    size_t n_periods;
    const struct lsn_range *coverage; /* ascending by (source, first); [0].first orders segments */
    size_t n_coverage;
};

struct installation {
    struct uuid uuid; /* the source of our LSNs */
    int64_t created_ns;
};

struct catalog_change {
    const struct segment_info *add;
    size_t n_add;
    const struct uuid *remove; /* unknown ones are no failure: the change may be a repetition */
    size_t n_remove;
    uint64_t covered_lsn; /* raises it; a smaller value changes nothing */
};

/* Makes an empty catalog where there is none, with a new installation.  A format version that this
 * build does not know is ERR_UNSUPPORTED. */
int catalog_open(struct catalog **ret, const char *folder, struct err *err);
/* As catalog_open for an empty folder, keeping the installation (rebuild-index). */
int catalog_create(struct catalog **ret, const char *folder, const struct installation *inst,
                   struct err *err);
void catalog_close(struct catalog *c);

struct installation catalog_installation(const struct catalog *c);
uint64_t catalog_covered_lsn(struct catalog *c);
/* Larger than that of every segment ever committed, different on each call. */
uint64_t catalog_next_generation(struct catalog *c);
int catalog_commit(struct catalog *c, const struct catalog_change *change, struct err *err);

/* All live segments in coverage order (segment_order), copied to the arena. */
int catalog_load(struct catalog *c, struct arena *arena, struct segment_info **ret, size_t *ret_n,
                 struct err *err);

/* Order of arrival: first covered LSN, then generation, then uuid. */
int segment_order(const struct segment_info *a, const struct segment_info *b);
/* "2026-03-01/<uuid>.seg": where new segments go in either store; day of min_ts_ns. */
struct str_view segment_key(struct arena *arena, struct uuid uuid, int64_t min_ts_ns);
/* Deep copy. */
void segment_info_copy(struct arena *arena, struct segment_info *to,
                       const struct segment_info *from);
/* The record of docs/formats.md, without its key (the uuid). */
void segment_info_encode(struct buf *out, const struct segment_info *info);
int segment_info_decode(struct arena *arena, struct str_view record, struct segment_info *ret,
                        struct err *err);
