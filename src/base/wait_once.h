/* SPDX-License-Identifier: Apache-2.0 */
/* wait_once.h - waiting for a callback that comes once, from any thread:
 *     struct wait_once w;
 *     wait_once_init(&w);
 *     start(..., wait_once_done, &w);
 *     return wait_once_end(&w, err);
 * Threads: one waits, any other calls; what both touch is gone only after both are done with it. */
#pragma once
#include "base/err.h"
#include "base/thread.h"

struct wait_once {
    struct mutex mu;
    struct cond done;
    bool ran; /* guarded by mu, as all below */
    int result;
    struct err err;
};

static inline void wait_once_init(struct wait_once *w)
{
    *w = (struct wait_once){.ran = false};
    mutex_init(&w->mu);
    cond_init(&w->done);
}

/* The callback: w is a struct wait_once.  err is read when the result is a failure. */
static inline void wait_once_done(void *w, int result, const struct err *err)
{
    struct wait_once *self = w;
    MUTEX_GUARD(&self->mu);
    self->ran = true;
    self->result = result;
    if (result < 0)
        self->err = *err;
    cond_signal(&self->done);
}

/* Waits, and passes on what the callback was told. */
static inline int wait_once_end(struct wait_once *w, struct err *err)
{
    mutex_lock(&w->mu);
    while (!w->ran)
        cond_wait(&w->done, &w->mu);
    mutex_unlock(&w->mu);
    cond_deinit(&w->done);
    mutex_deinit(&w->mu);
    return w->result < 0 ? err_set(err, w->result, "%s", w->err.text) : w->result;
}
