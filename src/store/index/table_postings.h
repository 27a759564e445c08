/* SPDX-License-Identifier: Apache-2.0 */
/* table_postings.h - the labels of new series, gathered and written once, in the order of the tree.
 * Threads: the table's writer. */
#pragma once
#include "base/arena.h"
#include "store/index/table.h"

struct posting_pair;
struct posting_node;
struct posting_batch {
    struct arena labels; /* scratch */
    struct posting_pair *pairs;
    size_t n_pairs, cap_pairs;
    uint32_t *slots; /* hash table: 1 + index into pairs */
    size_t n_slots;
    struct posting_node *nodes;
    size_t n_nodes, cap_nodes;
    uint16_t *old_sids, *all_sids; /* POSTING_MAX each */
    struct buf value;
};
void posting_batch_init(struct posting_batch *b);
void posting_batch_deinit(struct posting_batch *b);
/* Empties it, for the next tenant. */
void posting_batch_clear(struct posting_batch *b);
/* sid: higher than all before; `encoded` must last until the next clear, and is ERR_INVALID where
 * it does not decode. */
int posting_batch_add(struct posting_batch *b, struct kv_txn *t, struct table_tenant *tenant,
                      struct str_view encoded, uint32_t sid, struct err *err);
/* All that was added since the clear. */
int posting_batch_write(struct posting_batch *b, struct kv_txn *t, uint32_t tid, struct err *err);
