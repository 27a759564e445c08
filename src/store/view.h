/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - what a query sees: head generations and live segments of one instant.
 * Promise: a pinned view never changes; every acknowledged entry is in exactly one place of it.
 * Heads and segments stay readable until the last view that names them is unpinned; then a
 * generation's memory is freed, and a doomed segment's storage is removed (the gone callback).
 * Threads: pin, unpin, ref, unref from any; changes serialise. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "store/catalog.h"

struct head;

/* One head generation, counted.  gone() runs once, on the thread of the last unref, and frees the
 * head. */
struct generation;
typedef void generation_gone_fn(void *ctx, struct generation *g);
struct generation {
    struct head *head;        /* fixed at init */
    uint64_t number;          /* fixed at init; rises */
    generation_gone_fn *gone; /* fixed at init */
    void *ctx;                /* fixed at init */
    _Atomic uint32_t refs;
};
/* With one reference. */
struct generation *generation_new(struct head *head, uint64_t number, generation_gone_fn *gone,
                                  void *ctx);
struct generation *generation_ref(struct generation *g); /* returns g */
void generation_unref(struct generation *g);             /* NULL is fine */

/* One live segment, counted.  gone() runs once, on the thread of the last unref: when `doomed` its
 * file or object may be deleted now (live_segment_doom was called), else it only left memory. */
struct live_segment;
typedef void live_segment_gone_fn(void *ctx, const struct segment_info *info, bool doomed);
struct live_segment {
    struct segment_info info;   /* fixed at init, owned */
    struct arena arena;         /* of info */
    live_segment_gone_fn *gone; /* fixed at init; may be NULL */
    void *ctx;                  /* fixed at init */
    _Atomic bool doomed;
    _Atomic uint32_t refs;
};
/* Copies info; with one reference. */
struct live_segment *live_segment_new(const struct segment_info *info, live_segment_gone_fn *gone,
                                      void *ctx);
struct live_segment *live_segment_ref(struct live_segment *s); /* returns s */
void live_segment_unref(struct live_segment *s);               /* NULL is fine */
/* The catalog names it no more. */
void live_segment_doom(struct live_segment *s);

enum { VIEW_MAX_HEADS = 2 };

/* A pinned view: all fields fixed while it is pinned. */
struct view {
    size_t n_heads;
    struct generation *heads[VIEW_MAX_HEADS]; /* oldest first */
    uint64_t visible[VIEW_MAX_HEADS];         /* head_visible() at the pin */
    struct live_segment *const *segments;     /* coverage order (segment_order) */
    size_t n_segments;
    struct view_state *state; /* private */
};

struct views;
struct views *views_new(void);     /* nothing in it */
void views_free(struct views *vs); /* no view may be pinned */

/* The newest one.  Takes a lock for a moment only; pin, read, unpin on any threads. */
struct view *view_pin(struct views *vs);
void view_unpin(struct view *v); /* NULL is fine */
/* Index into segments, or SIZE_MAX. */
size_t view_find_segment(const struct view *v, struct uuid uuid);

/* One step from one set to the next.  The views take references of their own. */
struct views_change {
    bool set_heads; /* else heads stay as they are */
    struct generation *heads[VIEW_MAX_HEADS];
    size_t n_heads;
    struct live_segment *const *add;
    size_t n_add;
    const struct uuid *remove; /* not in the view: no failure */
    size_t n_remove;
    bool doom_removed; /* live_segment_doom() them: their storage goes with the last view */
};
/* The next pin sees all of it.  Callbacks of what no view holds any more run here. */
void views_apply(struct views *vs, const struct views_change *change);
