/* SPDX-License-Identifier: Apache-2.0 */
/* lazy_reader.h - readers of objects whose descriptors come and go: each is opened when it is read,
 * and stays open until others need its place.
 * Promise: at most max_open of a set are open while none is being read; one more for each read that
 * runs.
 * Threads: any, also on one reader at a time. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"
#include "base/thread.h"

struct lazy_reader;
struct object_reader;
struct object_store;

/* A set of readers under one limit. */
struct lazy_readers {
    unsigned max_open; /* fixed at init */
    struct mutex mu;
    struct lazy_reader *oldest, *newest; /* guarded by mu, as the next: open, and nobody reads */
    unsigned n_open;
};
void lazy_readers_init(struct lazy_readers *all, unsigned max_open); /* at least 1 */
void lazy_readers_deinit(struct lazy_readers *all);                  /* after its readers */

struct lazy_reader {
    struct lazy_readers *all; /* fixed at init, as the next two */
    struct object_store *store;
    char *key;                    /* owned */
    struct object_reader *reader; /* guarded by all->mu, as all below; NULL: not open */
    unsigned n_reading;
    struct lazy_reader *older, *newer;
};
/* Copies the key; opens nothing yet. */
void lazy_reader_init(struct lazy_reader *r, struct lazy_readers *all, struct object_store *store,
                      struct str_view key);
void lazy_reader_deinit(struct lazy_reader *r); /* nobody reads */
/* Size of the object. */
int lazy_reader_bytes(struct lazy_reader *r, uint64_t *ret, struct err *err);
/* As object_pread; `reader` is a struct lazy_reader, so that this serves as a segment_source's. */
int lazy_reader_pread(void *reader, void *to, size_t len, uint64_t at, struct err *err);
