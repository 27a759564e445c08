/* SPDX-License-Identifier: Apache-2.0 */
/* cover.h - which LSNs of this node stand in segments, and which are lost.
 * A head claims for its segment what it holds and nothing else: neither what another segment has
 * (one that was adopted at the start, so that the log was not replayed into the head), nor what the
 * log had to give back and could not.  So a loss stays a gap in the coverage of the segments for
 * ever: it is told at each start, and the catalog's covered LSN does not pass over it.
 * Threads: any. */
#pragma once
#include "base/bytes.h"
#include "base/thread.h"
#include "chunk/segment.h"
#include "model/lsn_set.h"
#include "store/segment_info.h"

struct arena;
struct wal; /* wal/wal.h */

struct cover {
    struct uuid source; /* fixed at init */
    struct mutex mu;    /* taken before a lock of the log */
    /* guarded by mu */
    struct lsn_set covered, holes;
};
void cover_init(struct cover *c, struct uuid source);
void cover_deinit(struct cover *c);

/* What these segments have. */
void cover_add(struct cover *c, const struct segment_info *v, size_t n);
void cover_add_hole(struct cover *c, struct lsn_span hole);
size_t cover_n_holes(struct cover *c); /* places that are lost */
/* A copy; the caller deinitialises it. */
struct lsn_set cover_copy(struct cover *c);

/* What a head of [first_lsn, end_lsn) has; the array lies in the arena. */
struct segment_coverage *cover_claim(struct cover *c, uint64_t first_lsn, uint64_t end_lsn,
                                     struct arena *arena, size_t *ret_n);
/* Up to where nothing is missing, once that segment lives, too. */
uint64_t cover_reach_with(struct cover *c, const struct segment_info *info);
/* Files of the log of which everything stands in segments are used again. */
void cover_recycle(struct cover *c, struct wal *wal);
/* "the log lost ...": one line for each hole, the first ten; nothing where there is none. */
void cover_describe(struct cover *c, struct buf *out);
