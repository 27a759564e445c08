/* SPDX-License-Identifier: Apache-2.0 */
#include "query/metric/rank_set.h"

#include <assert.h>
#include <math.h>

#include "query/metric/quantile.h"

enum { WORD_BITS = 64, BLOCK_WORDS = 8, GROUP_BLOCKS = 64 };
enum { BLOCK_RANKS = WORD_BITS * BLOCK_WORDS, GROUP_RANKS = BLOCK_RANKS * GROUP_BLOCKS };

static size_t blocks_of(size_t n)
{
    return (n + BLOCK_RANKS - 1) / BLOCK_RANKS;
}

static size_t groups_of(size_t n)
{
    return (n + GROUP_RANKS - 1) / GROUP_RANKS;
}

size_t rank_set_bytes(size_t n)
{
    size_t bytes = blocks_of(n) * BLOCK_WORDS * sizeof(uint64_t) +
                   (n + blocks_of(n) + groups_of(n)) * sizeof(uint32_t);
    return (bytes + 7) / 8 * 8;
}

void rank_set_init(struct rank_set *s, struct sample *v, size_t n, void *memory,
                   struct keyed *spare)
{
    assert(n <= RANK_SET_MAX);
    uint64_t *bits = memory;
    uint32_t *after = (uint32_t *)(bits + blocks_of(n) * BLOCK_WORDS);
    *s = (struct rank_set){.v = v,
                           .bits = bits,
                           .by_value = after,
                           .in_block = after + n,
                           .in_group = after + n + blocks_of(n)};
    for (size_t i = 0; i < n; i++)
        spare[i] = (struct keyed){value_key(v[i].value), i};
    keyed_sort(spare, n);
    for (size_t rank = 0; rank < n; rank++) {
        s->by_value[rank] = (uint32_t)spare[rank].number;
        v[spare[rank].number].mark = rank;
    }
}

void rank_set_put(struct rank_set *s, size_t sample)
{
    uint64_t rank = s->v[sample].mark;
    s->bits[rank / WORD_BITS] |= UINT64_C(1) << rank % WORD_BITS;
    s->in_block[rank / BLOCK_RANKS]++;
    s->in_group[rank / GROUP_RANKS]++;
}

void rank_set_take(struct rank_set *s, size_t sample)
{
    uint64_t rank = s->v[sample].mark;
    s->bits[rank / WORD_BITS] &= ~(UINT64_C(1) << rank % WORD_BITS);
    s->in_block[rank / BLOCK_RANKS]--;
    s->in_group[rank / GROUP_RANKS]--;
}

/* The place of the k-th bit that is set, k from 0. */
static size_t kth_bit(uint64_t word, size_t k)
{
    for (; k > 0; k--)
        word &= word - 1;
    return (size_t)__builtin_ctzll(word);
}

double rank_set_kth(const struct rank_set *s, size_t k)
{
    size_t block = 0, word, here;
    for (; k >= s->in_group[block / GROUP_BLOCKS]; block += GROUP_BLOCKS)
        k -= s->in_group[block / GROUP_BLOCKS];
    for (; k >= s->in_block[block]; block++)
        k -= s->in_block[block];
    for (word = block * BLOCK_WORDS;; word++, k -= here) {
        here = (size_t)__builtin_popcountll(s->bits[word]);
        if (k < here)
            break;
    }
    double v = s->v[s->by_value[word * WORD_BITS + kth_bit(s->bits[word], k)]].value;
    return isnan(v) ? NAN : v;
}
