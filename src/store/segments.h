/* SPDX-License-Identifier: Apache-2.0 */
/* segments.h - the cache of opened segments: the footer and what was read of the parts' directories
 * and filters, kept while the memory ledger allows it.
 * Promise: what segments_get() returned stays valid until segments_put(), whatever is evicted; the
 * descriptors below it come and go, so that a query may hold more segments than a process may have
 * open files.
 * Threads: any. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/ledger.h"
#include "base/uuid.h"
#include "chunk/segment.h"
#include "store/segment_file.h"

struct damage_place; /* store/damage.h */
struct live_segment;
struct segments;
struct open_segment;

struct segments_conf {
    struct stores stores;
    struct ledger *ledger; /* may be NULL; account LEDGER_CACHES */
    uint64_t max_bytes;    /* held by unused segments; 0: 64 MiB */
    unsigned max_open;     /* unused segments kept open; 0: 512 */
    unsigned max_files;    /* descriptors while nobody reads; 0: 512 */
};
struct segments *segments_new(const struct segments_conf *conf); /* copied */
void segments_free(struct segments *c);                          /* every open_segment was put */

/* Opens it, or finds it open.  A file that is gone is ERR_NOT_FOUND, one whose footer does not
 * check ERR_CORRUPT; ERR_UNAVAILABLE when memory is short. */
int segments_get(struct segments *c, const struct live_segment *s, struct open_segment **ret,
                 struct err *err);
void segments_put(struct segments *c, struct open_segment *o); /* NULL is fine */
/* The segment is gone: drop it once nobody holds it. */
void segments_forget(struct segments *c, struct uuid uuid);

/* What could not be read: named in the log when it is new, and listed until the segment is gone. */
void segments_note_damage(struct segments *c, const struct damage_place *at, struct str_view text);
/* One text each; returns how many more there are.  Nothing here may be called meanwhile. */
uint64_t segments_each_damage(struct segments *c, void (*fn)(void *ctx, struct str_view text),
                              void *ctx);

/* All below: valid while o is held, from any thread, read once and then kept. */
const struct segment *open_segment_file(const struct open_segment *o);
/* The directory of part `part_no` of the footer's table.  ERR_UNAVAILABLE when memory is short. */
int open_segment_part(struct open_segment *o, uint32_t part_no, const struct part **ret,
                      struct err *err);
/* Where the part's chunks are read.  Takes what open_segment_part gave. */
const struct part_source *open_segment_source(struct open_segment *o, uint32_t part_no);
/* The chunk's filter, checked; empty when it has none.  Valid until the next call of this thread.
 * All filters of the part are read at once and kept; where memory is short, or one of them is
 * damaged, the chunk's alone. */
int open_segment_filter(struct open_segment *o, uint32_t part_no, uint32_t chunk,
                        struct str_view *ret, struct err *err);
