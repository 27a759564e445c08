/* SPDX-License-Identifier: Apache-2.0 */
/* strays.h - what a store holds and the catalog does not name, and the other way round.
 * A crash leaves strays: of a spill that did not commit (the log still has its batches), of a merge
 * that did not (its sources live), or sources of one that did (its objects have them).  A catalog
 * that is an older copy of itself leaves as many as were written since.  What becomes of them:
 * adopt.h.
 * Threads: one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/segment_info.h"

struct stores;

struct stray {
    enum segment_place place;
    struct str_view key; /* in the arena */
};
struct strays {
    struct arena arena;
    struct stray *v; /* not in the catalog */
    size_t n, cap;
    struct stray *missing; /* in the catalog, and not there */
    size_t n_missing, cap_missing;
};
#define STRAYS_INIT ((struct strays){0})
void strays_deinit(struct strays *s);
void strays_note(struct strays *s, struct stray stray); /* its key lies in s->arena */
void strays_note_missing(struct strays *s, struct stray missing);
/* Appends those of one store: ".seg" keys that `named`, all that the catalog names, does not hold.
 * Nobody writes to the store meanwhile. */
int strays_list(struct strays *s, const struct stores *stores, enum segment_place place,
                const struct segment_info *named, size_t n_named, struct err *err);
