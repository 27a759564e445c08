/* SPDX-License-Identifier: Apache-2.0 */
/* collapse.h - a stream is a set: exact repeats of (time, line, metadata) count once.
 * Threads: pure. */
#pragma once
#include <stddef.h>

#include "model/entry.h"

/* `v` is sorted by time.  Drops each entry equal to an earlier one, keeps the order of the rest,
 * returns how many stay.  Linear in bytes, also for many entries of one time. */
size_t entries_collapse(struct entry *v, size_t n);
/* Sorts by time, equal times keep their order, then collapses. */
size_t entries_sort_collapse(struct entry *v, size_t n);
