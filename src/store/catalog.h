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
#include "store/segment_info.h"

struct catalog;

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
void catalog_close(struct catalog *c); /* NULL is fine; what was committed is durable already */

/* Who wrote it first; never changes. */
struct installation catalog_installation(const struct catalog *c);
/* As committed: every batch below stands in segments. */
uint64_t catalog_covered_lsn(struct catalog *c);
/* Larger than that of every segment ever committed, different on each call. */
uint64_t catalog_next_generation(struct catalog *c);
/* 0: durable.  < 0 (-ENOSPC, -EIO, ...): what catalog_load() shows is as before, and the disk may
 * hold either until the next commit succeeds. */
int catalog_commit(struct catalog *c, const struct catalog_change *change, struct err *err);

/* All live segments in coverage order (segment_order), copied to the arena.  ERR_CORRUPT on a
 * record that does not decode. */
int catalog_load(struct catalog *c, struct arena *arena, struct segment_info **ret, size_t *ret_n,
                 struct err *err);
