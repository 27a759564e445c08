/* SPDX-License-Identifier: Apache-2.0 */
/* turns.h - who runs next: a few threads, and tenants that take turns on them.
 * A tenant's jobs run in the order in which they came; among tenants with waiting jobs the threads
 * go round, so one that asks a lot delays the others by one job each, not by all of its own.
 * Threads: any may push; jobs run on the threads made here, which may wait for the worker pool. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"

struct turns;

/* Lies in the job; it is the job's own again once run() begins. */
struct turn {
    void (*run)(struct turn *t);
    struct turn *next; /* private */
};

/* name: of the threads.  n_threads > 0; at most max_waiting jobs of a tenant wait at a time. */
int turns_open(struct turns **ret, const char *name, unsigned n_threads, uint64_t max_waiting,
               struct err *err);
/* Everything pushed still runs. */
void turns_close(struct turns *ts); /* NULL is fine */
/* False: as many of the tenant wait already.  The tenant's name is copied. */
bool turns_push(struct turns *ts, struct str_view tenant, struct turn *t);
uint64_t turns_waiting(struct turns *ts); /* of all tenants */
