/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - the thread that looks around now and then: how full the disk is, which streams are
 * idle, how old the entries in memory are.
 * Threads: its own; start and stop from one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

struct err;
struct heads;
struct ingest;
struct ingester_conf;

struct watch_deps {
    const struct ingester_conf *conf;
    const char *data_dir, *wal_folder; /* whose disks are looked at */
    struct heads *heads;
    struct ingest *ingest;
};
struct watch {
    struct watch_deps deps; /* fixed at init, borrowed */
    struct thread thread;

    struct mutex mu;
    struct cond wake;
    bool stop; /* guarded by mu */

    /* owned by the thread */
    bool disk_full;
    int64_t next_disk_ns, next_evict_ns;
};
int watch_start(struct watch *w, const struct watch_deps *deps, struct err *err);
void watch_stop(struct watch *w); /* a zeroed one is fine */
