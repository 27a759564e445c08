/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - how a finished segment becomes live, and how one that is replaced goes.
 * In this order, each step durable before the next begins:
 *     segment_file_commit()  the segment is in its store
 *     publish_prepare()      its rows are in the index, where no view finds them yet
 *     publish_commit()       one catalog transaction: it lives, what it replaces does not; then the
 *                            view is swapped, in one step as well
 * A step that fails leaves everything as it was for queries, and is tried again with new segments.
 * The last view that holds a replaced segment gives it up; publish_remove_dead() then removes rows
 * and storage.
 * Threads: any; two commits may run at once where they replace nothing that both name. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/thread.h"
#include "store/leftovers.h"
#include "store/segment_file.h"

struct arena;
struct catalog;
struct generation; /* store/view.h */
struct index;
struct ledger;
struct live_segment; /* store/view.h */
struct segments;
struct views;

/* Borrowed; they outlive the publisher. */
struct publisher_deps {
    struct stores stores;
    struct catalog *catalog;
    struct index *index;
    struct segments *segments; /* the cache to tell of segments that go; may be NULL */
    struct views *views;
    struct ledger *ledger; /* account LEDGER_SPILL */
};

struct publisher {
    struct publisher_deps deps; /* fixed at init */

    struct mutex mu;       /* taken last, never across a call */
    struct leftovers dead; /* guarded by mu: nobody can see them any more */

    _Atomic uint64_t n_streams;
    struct mutex heavy; /* held by publish_heavy_begin's caller, taken before any other */
};
void publisher_init(struct publisher *p, const struct publisher_deps *deps);
/* No view holds a segment that publish_live() or publish_commit() made.  What is still dead stays
 * in its store, and is found at the next start. */
void publisher_deinit(struct publisher *p);

/* A segment of this installation that begins now, to be created: its uuid, its generation, and a
 * key in `arena` by the time of its oldest entry. */
struct segment_draft publish_draft(struct publisher *p, enum segment_place place, uint8_t level,
                                   int64_t min_ts_ns, struct arena *arena);

/* Of a committed draft: reads it back, writes its index rows from what it says of itself and fills
 * *ret (texts in the arena).  When it fails the segment is gone again. */
int publish_prepare(struct publisher *p, const struct segment_draft *d, struct arena *arena,
                    struct segment_info *ret, struct err *err);

/* One step from one set of live segments to the next. */
struct publication {
    const struct segment_info *add; /* prepared */
    size_t n_add;
    const struct uuid *replaced; /* by those */
    size_t n_replaced;
    uint64_t covered_lsn;            /* the log below it is in segments; 0: as far as before */
    struct generation *const *heads; /* of the view from now on; NULL: they stay */
    size_t n_heads;
};
/* `failed` are the segments of earlier tries of the caller, whose commit may have reached the disk
 * all the same: this one takes them back, and they are dead after it.  When it fails, what it would
 * have added joins them, and nothing else has changed. */
int publish_commit(struct publisher *p, struct leftovers *failed, const struct publication *what,
                   struct err *err);
/* Segments of a try that failed before any commit: rows and storage go at once.  What cannot be
 * removed is told in err beside what it says already. */
void publish_give_up(struct publisher *p, struct leftovers *l, struct err *err);

/* The view's handle of a segment that the catalog names (at start), with one reference. */
struct live_segment *publish_live(struct publisher *p, const struct segment_info *info);
/* Removes what the last views let go of since the last call. */
int publish_remove_dead(struct publisher *p, struct err *err);

/* ---- memory of directories ---- */

/* Around what works on a whole directory: where there are very many streams, spill and merge take
 * turns.  What begin returned is for end. */
bool publish_heavy_begin(struct publisher *p);
void publish_heavy_end(struct publisher *p, bool begun);
/* How many live streams there are now, for that. */
void publish_note_streams(struct publisher *p, uint64_t n_streams);
