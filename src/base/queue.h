/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - a bounded queue of pointers between threads.
 * Promise: what was pushed is popped once, in order; after queue_close() pushes are refused and
 * pops drain what is left.
 * Threads: any number on both ends. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"

struct queue {
    struct mutex mu;
    struct cond not_empty, not_full;
    void **slots;        /* fixed at init */
    size_t cap;          /* fixed at init */
    size_t head, n_held; /* guarded by mu */
    bool closed;         /* guarded by mu */
};
void queue_init(struct queue *q, size_t cap);
void queue_deinit(struct queue *q); /* what is still in it belongs to nobody: drain first */
/* Waits for room; false when closed. */
bool queue_push(struct queue *q, void *item);
/* False when full or closed. */
bool queue_try_push(struct queue *q, void *item);
/* Waits up to timeout_ns (< 0: for ever); NULL when it passed, or closed and empty. */
void *queue_pop(struct queue *q, int64_t timeout_ns);
/* Takes up to max items at once, waiting for the first as queue_pop does. */
size_t queue_pop_many(struct queue *q, void **items, size_t max, int64_t timeout_ns);
size_t queue_len(struct queue *q);
bool queue_is_closed(struct queue *q);
void queue_close(struct queue *q);
