/* SPDX-License-Identifier: Apache-2.0 */
/* lineage.h - which of some segments hold what others hold, too, by what their footers say.
 * Two statements count: that one replaces another (by uuid), and that all batches of one are
 * covered by a later one which has each of its parts.  Neither alone lets a file go: see adopt.h.
 * Threads: pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "chunk/segment.h"
#include "store/segment_info.h"

struct lineage_segment {
    const struct segment *segment; /* header and footer; its source is not read */
    enum segment_place place;
    void *owner; /* the caller's */
    /* Out: */
    bool is_listed;   /* a later one says that it replaces it */
    bool is_in_later; /* for each of its parts there is a later one that covers all its batches and
                       * has the part */
    bool is_copy;     /* not the last of several with one uuid */
};
/* Sorts v, the oldest first (by level, then generation), and fills in what is out. */
void lineage_find(struct lineage_segment *v, size_t n);
