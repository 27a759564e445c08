/* SPDX-License-Identifier: Apache-2.0 */
/* damage.h - a list of what of the segments cannot be read: a whole one, a part, or a chunk.
 * Promise: each place stands there once; the list is bounded, what comes past that is counted.
 * Threads: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "base/uuid.h"

enum { DAMAGE_ALL = UINT32_MAX, DAMAGE_MAX = 256 };

/* Borrows the key. */
struct damage_place {
    struct uuid segment;
    struct str_view key;
    uint32_t part_no; /* DAMAGE_ALL: the whole segment */
    uint32_t chunk;   /* DAMAGE_ALL: the whole part */
};

struct damage {
    struct uuid segment;
    uint32_t part_no, chunk;
    char *text; /* owned: which place, and why */
};
struct damage_list {
    struct mutex mu;
    struct damage *v; /* guarded by mu, as the next */
    size_t n, cap;
    uint64_t n_more; /* that were too many: perhaps some of them twice */
};
void damage_list_init(struct damage_list *l);
void damage_list_deinit(struct damage_list *l);

/* Whether a failure to read says that the bytes are not there or not right: ERR_CORRUPT,
 * ERR_NOT_FOUND, ERR_UNSUPPORTED and -EIO.  What a later try may read is no damage. */
bool damage_is(int result);
/* Appends "chunk 3 of part 0 of segment 'key': why". */
void damage_describe(struct buf *out, const struct damage_place *at, struct str_view why);

/* False when the place, or all of its segment, is known.  The text is copied. */
bool damage_list_add(struct damage_list *l, const struct damage_place *at, struct str_view text);
/* The segment is gone. */
void damage_list_forget(struct damage_list *l, struct uuid segment);
/* All that were added. */
uint64_t damage_list_count(struct damage_list *l);
/* Calls in the order in which they came, under the list's lock; returns how many are not named. */
typedef void damage_fn(void *ctx, struct str_view text);
uint64_t damage_list_each(struct damage_list *l, damage_fn *fn, void *ctx);
