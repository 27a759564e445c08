/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h - the start: the live segments of the catalog, then the log from where they end into
 * the heads, so that everything is as it was; then, already ready, what the last run left in the
 * stores is tidied.
 * Threads: its own, which frees all that recovery needed at its end. */
#pragma once
#include <stdint.h>

#include "base/uuid.h"

struct err;
struct flusher;
struct heads;
struct ingester_conf;
struct phase;
struct publisher;
struct thread;

/* Borrowed; they outlive the thread. */
struct recovery_deps {
    const struct ingester_conf *conf;
    const char *wal_folder;
    struct heads *heads;
    struct phase *phase; /* told of the end; ends the replay where it is stopping */
    struct publisher *publisher;
    struct flusher *flusher; /* begins when the stores are tidy */
};
/* Starts it and returns; the caller joins *ret. */
int recovery_start(struct thread *ret, const struct recovery_deps *deps, struct err *err);
