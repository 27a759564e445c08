/* SPDX-License-Identifier: Apache-2.0 */
/* adopt.h - at the start, the catalog is made to agree with the segments in the stores.
 * The segments are the truth, the catalog is a list of them that may be old: a restored folder, a
 * lost last write, a damaged page.  So what it does not name is not a left-over because of that:
 *     a segment lives, unless another one that is there and sound says that it replaces it.
 * A stray that lives by this rule is adopted: rows, then a catalog commit.  One that is replaced
 * goes, by the word of the other.  One whose header or footer does not check is set aside as
 * "<key>.damaged", and one of another installation is left alone.  Entries that then stand in two
 * segments (a merge that did not end) are one when they are read, and after the next merge.
 * Promise: nothing goes that is not named, by uuid, in the footer of a sound segment.
 * Threads: one, before anybody else uses the stores. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/segment_info.h"
#include "store/strays.h"

struct publisher;

struct adoption {
    struct strays strays; /* as they were found; what is still missing: see n_missing */
    uint64_t n_adopted, n_replaced, n_set_aside, n_foreign, n_copies;
    /* Segments that the catalog names, that nobody replaces, and that are not there: what they held
     * is lost, unless the files come back.  They are the first of strays.missing. */
    size_t n_missing;
};
void adoption_deinit(struct adoption *a);
bool adoption_misses(const struct adoption *a, const struct segment_info *info);
/* `named`: all that the catalog names.  Logs what it does.  *ret is to be deinitialised in any
 * case. */
int adopt(struct publisher *p, const struct segment_info *named, size_t n_named,
          struct adoption *ret, struct err *err);
