/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild.h - `halogi rebuild-index`: catalog and tables again, from segments alone.
 * Every checksum of every segment is verified; one that does not verify is left out and counted,
 * never deleted.  Of the others, what they say of themselves decides which live.  A segment is dead
 * when later ones (by level, then generation) cover all its batches and have each of its parts; or
 * when a complete one says that it replaces it and nothing is damaged.  So where an object of a
 * merge is damaged, the sources that are still there stay: what stands in two segments is read
 * once.
 * The covered LSN is the first that no complete segment of the installation covers.  Where that is
 * not the end of all that they cover (newest_lsn), a segment is missing or damaged: what the log
 * still has of it is replayed at the next start, and the rest told there.
 * Threads: nothing else may use the stores and folders meanwhile. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "store/catalog.h"
#include "store/segment_file.h"

enum rebuild_event {
    REBUILD_VERIFIED, /* each segment is one of VERIFIED and DAMAGED first */
    REBUILD_DAMAGED,  /* why: what is wrong */
    REBUILD_REPLACED, /* dead */
    REBUILD_INDEXED,  /* live, and its rows are written */
};
/* < 0 ends the rebuild. */
typedef int rebuild_note_fn(void *ctx, enum rebuild_event event, enum segment_place place,
                            struct str_view key, const struct err *why, struct err *err);

struct rebuild_conf {
    struct stores stores;
    const char *catalog_folder; /* must be absent or empty */
    const char *index_folder;   /* as well */
    /* Whose catalog it becomes.  NULL: of the one that wrote the newest local segment, or else the
     * newest object, or a new one. */
    const struct uuid *installation;
    rebuild_note_fn *note; /* may be NULL */
    void *ctx;
};
struct rebuild_report {
    uint64_t n_live, n_replaced, n_damaged, n_rows, n_parts;
    struct installation installation;
    uint64_t covered_lsn, newest_lsn;
};
/* After a failure the folders hold something unfinished and are to be removed. */
int rebuild_index(const struct rebuild_conf *conf, struct rebuild_report *ret, struct err *err);
