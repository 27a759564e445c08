/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"

void queue_init(struct queue *q, size_t cap)
{
    assert(cap > 0);
    *q = (struct queue){.cap = cap, .slots = mem_alloc(cap * sizeof *q->slots)};
    mutex_init(&q->mu);
    cond_init(&q->not_empty);
    cond_init(&q->not_full);
}

void queue_deinit(struct queue *q)
{
    if (!q->slots)
        return;
    cond_deinit(&q->not_full);
    cond_deinit(&q->not_empty);
    mutex_deinit(&q->mu);
    free(q->slots);
    q->slots = NULL;
}

static void put_locked(struct queue *q, void *item)
{
    mutex_assert_held(&q->mu);
    q->slots[(q->head + q->n_held++) % q->cap] = item;
    cond_signal(&q->not_empty);
}

bool queue_push(struct queue *q, void *item)
{
    MUTEX_GUARD(&q->mu);
    while (q->n_held == q->cap && !q->closed)
        cond_wait(&q->not_full, &q->mu);
    if (q->closed)
        return false;
    put_locked(q, item);
    return true;
}

bool queue_try_push(struct queue *q, void *item)
{
    MUTEX_GUARD(&q->mu);
    if (q->closed || q->n_held == q->cap)
        return false;
    put_locked(q, item);
    return true;
}

size_t queue_pop_many(struct queue *q, void **items, size_t max, int64_t timeout_ns)
{
    MUTEX_GUARD(&q->mu);
    while (q->n_held == 0 && !q->closed) {
        if (timeout_ns < 0)
            cond_wait(&q->not_empty, &q->mu);
        else if (!cond_wait_for(&q->not_empty, &q->mu, timeout_ns))
            break;
    }
    size_t n = q->n_held < max ? q->n_held : max;
    for (size_t i = 0; i < n; i++)
        items[i] = q->slots[(q->head + i) % q->cap];
    q->head = (q->head + n) % q->cap;
    q->n_held -= n;
    if (n == 1)
        cond_signal(&q->not_full);
    else if (n > 1)
        cond_broadcast(&q->not_full);
    if (q->n_held > 0)
        cond_signal(&q->not_empty); /* one wake-up may stand for several pushes */
    return n;
}

void *queue_pop(struct queue *q, int64_t timeout_ns)
{
    void *item;
    return queue_pop_many(q, &item, 1, timeout_ns) ? item : NULL;
}

size_t queue_len(struct queue *q)
{
    MUTEX_GUARD(&q->mu);
    return q->n_held;
}

bool queue_is_closed(struct queue *q)
{
    MUTEX_GUARD(&q->mu);
    return q->closed;
}

void queue_close(struct queue *q)
{
    MUTEX_GUARD(&q->mu);
    q->closed = true;
    cond_broadcast(&q->not_empty);
    cond_broadcast(&q->not_full);
}
