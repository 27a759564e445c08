/* SPDX-License-Identifier: Apache-2.0 */
/* spill.h - a frozen generation as one local segment.
 * Threads: one; nothing is appended to the generation, and no stream is evicted, meanwhile. */
#pragma once
#include <stdint.h>

#include "base/err.h"

struct arena;
struct cover;     /* ingester/cover.h */
struct head_span; /* ingester/heads.h */
struct publisher; /* store/publish.h */
struct segment_draft;
struct segment_writer;
struct streams;

struct spill_tools {
    struct publisher *publisher;
    struct streams *streams;
    struct cover *cover; /* what others hold already, for the claim */
    int64_t period_ns;   /* of the parts */
};
/* Writes it, parts by tenant and period, and makes it durable in the local store; *ret (its key in
 * the arena) is for publish_prepare.  After a failure nothing of it is there, but where the last
 * sync failed.  *w may be exchanged for a smaller one. */
int spill_write(const struct spill_tools *tools, const struct head_span *from,
                struct segment_writer **w, struct arena *arena, struct segment_draft *ret,
                struct err *err);
