/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild.h - `halogi rebuild-index`: catalog and tables again, from segments alone.
 * Which segments live is decided by what they say of themselves: a segment that another complete
 * one replaces is dead.  Every checksum is verified; a segment that does not verify is left out and
 * counted, never deleted.
 * Threads: nothing else may use the folders meanwhile. */
#pragma once
#include <stdint.h>

#include "base/err.h"

struct object_store;

struct rebuild_conf {
    struct object_store *local, *objects;
    const char *catalog_folder; /* must be absent or empty */
    const char *index_folder;   /* as well */
};
struct rebuild_report {
    uint64_t n_live, n_replaced, n_damaged, n_rows, n_parts;
};
int rebuild_index(const struct rebuild_conf *conf, struct rebuild_report *ret, struct err *err);
