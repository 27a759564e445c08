/* SPDX-License-Identifier: Apache-2.0 */
/* push_build.h - between the two decoders and the result: collects streams, normalises them.
 * A decoder reads a stream whole (times, lines, where the metadata stands), then hands it over;
 * only then are labels known, and metadata and level are worked out.  Inside wire/ only. */
#pragma once
#include "wire/level.h"
#include "wire/push.h"

struct push_builder;
/* Fills b->pairs from the place that the decoder left in entry.sm. */
typedef int push_read_sm_fn(struct push_builder *b, struct str_view raw);

struct push_builder {
    struct arena *a;
    const struct push_policy *policy;
    struct err *err;
    uint64_t budget_bytes; /* left for what is allocated beside the body: follows from the body */
    const struct reserve *reserve;
    uint64_t granted_bytes; /* by reserve, not yet used */
    push_read_sm_fn *read_sm;
    /* Scratch, reused: pairs of one entry or label set; entries of one stream (JSON). */
    struct label *pairs;
    size_t n_pairs, cap_pairs;
    struct push_entry *entries;
    size_t n_entries, cap_entries;
    struct buf bytes;
    /* The result, grown on the heap, copied to the arena at the end. */
    struct push_stream *streams;
    size_t n_streams, cap_streams;
};

void push_builder_init(struct push_builder *b, struct arena *a, const struct push_policy *policy,
                       uint64_t decoded_bytes, const struct reserve *reserve, struct err *err);
void push_builder_deinit(struct push_builder *b);

/* Takes from the budget; ERR_TOO_LARGE when it is used up, ERR_UNAVAILABLE when the reserve is. */
int push_charge(struct push_builder *b, uint64_t n, size_t elem_bytes);
int push_add_pair(struct push_builder *b, struct str_view name, struct str_view value);
/* A scratch entry, zeroed; fails as push_charge() does. */
int push_add_entry(struct push_builder *b, struct push_entry **ret);

/* Ends a stream.  labels: the parsed set, sorted, in the arena.  Entries: time and line set; sm
 * the raw place of metadata or empty; in the arena and changed in place. */
int push_add_stream(struct push_builder *b, struct label *labels, size_t n_labels,
                    struct push_entry *entries, size_t n_entries);
/* Moves the scratch entries to the arena. */
struct push_entry *push_keep_entries(struct push_builder *b, size_t *ret_n);

int push_decode_proto(struct push_builder *b, struct str_view body);
int push_decode_json(struct push_builder *b, struct str_view body, bool legacy);
