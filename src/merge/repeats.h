/* SPDX-License-Identifier: Apache-2.0 */
/* repeats.h - a stream's entries go by in time order; which are exact repeats of one before?
 * Keeps 16 bytes for each distinct entry of the newest time: a 128-bit hash under a key that
 * nobody outside can know, so that two different entries never count as one.
 * Threads: one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/entry.h"

struct repeats {
    int64_t ts_ns;
    uint64_t key;
    struct text_hash {
        uint64_t low, high; /* both 0: no entry */
    } * seen;
    size_t n, cap;
    bool hashed; /* seen is a hash table; else a list of few */
};
void repeats_init(struct repeats *r);
void repeats_deinit(struct repeats *r);
/* The next stream begins. */
void repeats_clear(struct repeats *r);
/* False when it was there.  Times never fall between clears. */
bool repeats_add(struct repeats *r, const struct entry *e);
uint64_t repeats_mem_bytes(const struct repeats *r);
