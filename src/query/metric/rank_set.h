/* SPDX-License-Identifier: Apache-2.0 */
/* rank_set.h - some of the samples of a series, and the k-th smallest of them.
 * All samples are sorted by value once; a sample is in the set when the bit of its rank is set.
 * Bits are counted by blocks of 512 ranks and by groups of 64 blocks, so that putting a sample in
 * or taking it out touches one bit and two counters, and finding the k-th walks over the groups,
 * 64 blocks and 8 words.
 * The rank of a sample is its `mark`.  Threads: one at a time. */
#pragma once
#include "base/keyed.h"
#include "query/metric/sample.h"

struct rank_set {
    const struct sample *v; /* borrowed */
    uint32_t *by_value;     /* rank -> sample */
    uint64_t *bits;
    uint32_t *in_block, *in_group;
};
/* At most so many samples: 96 GiB of them. */
#define RANK_SET_MAX UINT32_MAX
size_t rank_set_bytes(size_t n);
/* Writes the ranks into v[].mark.  memory: rank_set_bytes(n) zero bytes, 8-byte aligned, which
 * outlive the set; spare: n keys, and sorting takes as much again for the time of the call. */
void rank_set_init(struct rank_set *s, struct sample *v, size_t n, void *memory,
                   struct keyed *spare);
void rank_set_put(struct rank_set *s, size_t sample);
void rank_set_take(struct rank_set *s, size_t sample); /* one that is in */
/* k counts from 0 and is below the number of samples in the set. */
double rank_set_kth(const struct rank_set *s, size_t k);
