/* SPDX-License-Identifier: Apache-2.0 */
/* round.h - one round of merging: live segments are replaced by fewer and larger ones.
 * Promise: whatever step fails, the sources stay live and whole, and the round can be tried again.
 * Threads: one owns a merger; its sources may be read by any meanwhile. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/segment_info.h"

struct live_segment; /* store/view.h */
struct publisher;    /* store/publish.h */

struct merger_conf {
    struct publisher *publisher; /* borrowed */
    enum segment_place place;    /* of what is made */
    uint8_t level;               /* as well: enum segment_level, or more */
    uint64_t object_bytes;       /* what is made takes no further tenant past this size */
    const _Atomic bool *stop;    /* borrowed: true ends a round with ERR_CANCELLED */
};
/* The buffers of rounds, what their failures left, and what was found damaged. */
struct merger;
struct merger *merger_new(const struct merger_conf *conf); /* copied */
void merger_free(struct merger *m);

struct merge_result {
    size_t n_sources;
    uint32_t n_made;
    uint64_t bytes; /* of what was made */
    uint64_t copied_chunks, decoded_chunks;
    /* After ERR_CORRUPT: the source that was found to be damaged, NULL: the search begins. */
    const struct segment_info *damaged;
};
/* The first of the sources, as many as one merge takes, are replaced; there is one at least.  They
 * come in order of arrival (as views have them), none of them known to be damaged.
 * ERR_CORRUPT: one of them does not verify; an index or a catalog that does not is ERR_BAD_INDEX,
 * and says nothing of them.  The next rounds then take one source at a time, as
 * many as there were, until the damaged one is known; it stays live, and what can be read of it is
 * read.  *ret is set in that case as well. */
int merger_round(struct merger *m, struct live_segment *const *sources, size_t n,
                 struct merge_result *ret, struct err *err);
bool merger_is_damaged(const struct merger *m, struct uuid uuid);
size_t merger_n_damaged(const struct merger *m);
/* It is known that one is damaged, and not yet which: rounds are due. */
bool merger_is_searching(const struct merger *m);
