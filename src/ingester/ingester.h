/* SPDX-License-Identifier: Apache-2.0 */
/* ingester.h - the role that keeps recent lines safe and turns them into segments.
 * Promise: a push that was answered with success is on stable storage (the log, or a segment that
 * the catalog names), and every later ingester_open() of the same folders finds it, exactly once.
 * Threads: any, after ingester_open() returned; ingester_close() comes when nobody calls any more.
 * Pushes that came before recovery ended are refused with ERR_UNAVAILABLE. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/conf/conf.h"
#include "base/err.h"
#include "cluster/peer.h"
#include "query/source.h"
#include "store/segment_file.h"

struct catalog; /* store/catalog.h */
struct ledger;  /* base/ledger.h */
struct views;   /* store/view.h */

/* Section "ingester"; the WAL's keys are "wal.dir" and so on. */
struct ingester_conf {
    int64_t chunk_idle_period_ns, max_chunk_age_ns, flush_check_period_ns;
    uint64_t max_returned_stream_errors;
    uint64_t head_max_bytes;      /* a head of this size is spilled */
    int64_t head_max_age_ns;      /* or of this age */
    uint64_t flush_local_bytes;   /* local segments of this sum become objects */
    int64_t flush_local_age_ns;   /* or when the oldest is this old */
    uint64_t flush_object_bytes;  /* an object is closed past this size */
    uint64_t push_wait_max_bytes; /* decoded pushes that wait while both generations are full */
    const char *wal_dir;          /* below common.path_prefix unless absolute */
    const char *wal_sync;         /* fdatasync, interval, none */
    int64_t wal_sync_interval_ns;
    uint64_t wal_file_bytes; /* of one file of the log, 256 KiB to 16 MiB; 0: 16 MiB */
    bool wal_enabled, flush_on_shutdown;
    double disk_full_threshold; /* used share of the disk from which pushes get 503 */
};
extern const struct conf_row ingester_conf_rows[];
extern const size_t ingester_conf_n_rows;

/* Borrowed; they outlive the ingester. */
struct ingester_deps {
    const char *data_dir; /* common.path_prefix */
    struct catalog *catalog;
    struct index *index;
    struct segments *segments;
    struct views *views;
    struct stores stores;
    struct ledger *ledger;
    int64_t period_ns; /* of the period tables, 24 h by default */
};

struct ingester;
/* Starts threads and recovery, and returns at once: ask ingester_ready(). */
int ingester_open(struct ingester **ret, const struct ingester_conf *conf,
                  const struct ingester_deps *deps, struct err *err);
/* Drains what was accepted, syncs the log; with flush_on_shutdown everything goes to objects. */
void ingester_close(struct ingester *in);
/* True when recovery is over and queries are answered: *why (may be NULL) then has a line for each
 * loss that the start found, mostly none.  Else it says what it is doing or what is wrong:
 * "replaying the WAL: 12 MiB done". */
bool ingester_ready(struct ingester *in, struct buf *why);
enum { INGESTER_OK = 0, INGESTER_STILL_RECOVERING = 1 };
/* Waits for the end of recovery, up to timeout_ns (< 0: for ever); < 0 when it failed. */
int ingester_wait_ready(struct ingester *in, int64_t timeout_ns, struct err *err);
/* For cluster/peer.h's callers, and for queries of this process.  Both are valid until
 * ingester_close(). */
struct peer ingester_peer(struct ingester *in);
struct recent_source ingester_recent(struct ingester *in);
