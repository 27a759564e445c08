/* SPDX-License-Identifier: Apache-2.0 */
/* witness.h - a second place that knows the newest use of a file of the log: without it, the loss
 * of the newest file would look like a log that ended with the one before (docs/formats.md, "WAL").
 * Promise: witness_write() is durable when it returns 0; a write that was cut off leaves the one
 * before it readable.  A missing or damaged witness only knows less: it never makes a loss.
 * Threads: one at a time. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"

struct wal_witness {
    struct uuid installation;
    uint64_t epoch;       /* of the newest file whose first group is on stable storage */
    uint64_t covered_lsn; /* of the catalog at that moment */
};
enum { WITNESS_OK = 0, WITNESS_NONE = 1 /* there is none, or none of its slots checks */ };

/* folder: of the log. */
int witness_read(const char *folder, struct wal_witness *ret, struct err *err);
int witness_write(const char *folder, const struct wal_witness *w, struct err *err);
