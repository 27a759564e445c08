/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h - the start: the segments that live (store/adopt.h), then what the log has and they do
 * not, into the heads, so that everything is as it was.
 * Threads: its own, which frees all that recovery needed at its end. */
#pragma once
#include <stdint.h>

#include "base/uuid.h"

struct cover;
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
    const char *wal_folder, *witness_folder;
    struct cover *cover; /* is told what segments have, and what the log could not give back */
    struct heads *heads;
    struct phase *phase; /* told of the end; ends the replay where it is stopping */
    struct publisher *publisher;
    struct flusher *flusher; /* begins when it is over */
};
/* Starts it and returns; the caller joins *ret. */
int recovery_start(struct thread *ret, const struct recovery_deps *deps, struct err *err);
