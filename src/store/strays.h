/* SPDX-License-Identifier: Apache-2.0 */
/* strays.h - what a store holds and the catalog does not name, and the other way round.
 * A crash leaves strays: of a spill that did not commit (the log still has its batches), of a merge
 * that did not (its sources live), or sources of one that did (its objects have them).
 * Threads: one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/segment_info.h"

struct live_segment;
struct stores;

struct stray {
    enum segment_place place;
    struct str_view key; /* in the arena */
};
struct strays {
    struct arena arena;
    struct stray *v; /* not in the catalog */
    size_t n, cap;
    struct stray *missing; /* in the catalog, and not there */
    size_t n_missing, cap_missing;
};
#define STRAYS_INIT ((struct strays){0})
void strays_deinit(struct strays *s);
/* Appends those of one store: ".seg" keys that `live` does not name, last written before before_ns
 * (wall clock).  `live` is all that the catalog named at the start. */
int strays_list(struct strays *s, const struct stores *stores, enum segment_place place,
                struct live_segment *const *live, size_t n_live, int64_t before_ns,
                struct err *err);

enum stray_verdict {
    STRAY_KEPT_ELSEWHERE, /* the source wrote it, and all its batches are below the LSN */
    STRAY_UNCLEAR,        /* anything else; it may hold what nothing else does */
};
/* By what the segment says of itself; *ret_uuid is set for STRAY_KEPT_ELSEWHERE alone. */
enum stray_verdict stray_judge(const struct stray *s, const struct stores *stores,
                               struct uuid source, uint64_t kept_lsn, struct uuid *ret_uuid);
