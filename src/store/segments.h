/* SPDX-License-Identifier: Apache-2.0 */
/* segments.h - the cache of opened segments: a descriptor, the footer and what was read of the
 * parts' directories and filters, kept while the memory ledger allows it.
 * Promise: what segments_get() returned stays valid until segments_put(), whatever is evicted.
 * Threads: any. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/ledger.h"
#include "base/uuid.h"

struct live_segment;
struct object_store;
struct segment_reader; /* chunk/segment.h */
struct segments;
struct open_segment;

struct segments_conf {
    struct object_store *local;   /* SEGMENT_LOCAL */
    struct object_store *objects; /* SEGMENT_OBJECT */
    struct ledger *ledger;        /* may be NULL; account LEDGER_CACHES */
    uint64_t max_bytes;           /* held by unused segments; 0: 64 MiB */
    unsigned max_open;            /* unused segments kept open; 0: 512 */
};
struct segments *segments_new(const struct segments_conf *conf);
void segments_free(struct segments *c); /* every open_segment was put */

int segments_get(struct segments *c, const struct live_segment *s, struct open_segment **ret,
                 struct err *err);
void segments_put(struct segments *c, struct open_segment *o); /* NULL is fine */
/* Fixed while o is held; reading through it is safe from any thread. */
struct segment_reader *open_segment_reader(struct open_segment *o);
/* The segment is gone: drop it once nobody holds it. */
void segments_forget(struct segments *c, struct uuid uuid);
