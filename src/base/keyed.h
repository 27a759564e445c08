/* SPDX-License-Identifier: Apache-2.0 */
/* keyed.h - sorts many things by a 64-bit key: radix sort, least significant byte first, so that
 * time is linear; bytes in which no two keys differ cost nothing.  Stable.
 * Threads: any, each with its own array. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct keyed {
    uint64_t key;
    size_t number; /* of what the key belongs to */
};
/* What n keys take while they are sorted: the array and as much again. */
#define KEYED_SORT_BYTES(n) (2 * (uint64_t)(n) * sizeof(struct keyed))
void keyed_sort(struct keyed *v, size_t n);
