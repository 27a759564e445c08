/* SPDX-License-Identifier: Apache-2.0 */
/* row_metadata.h - the metadata of a chunk's rows as numbered sets: rows of one number have equal
 * metadata, so that what follows from metadata is worked out once per set and not per row.
 * Only keys that a query asks for are read.
 * Threads: one at a time.  Valid until the decoder turns to another chunk. */
#pragma once
#include "base/arena.h"
#include "chunk/chunk.h"
#include "logql/ast.h"

struct metadata_key {
    struct str_view name;
    struct sm_column column;
};

struct row_metadata {
    struct chunk_decoder *decoder;
    struct arena arena; /* of the chunk in work */
    uint32_t rows;
    bool opaque;               /* all keys of rows that are kept whole: each row is a set */
    struct metadata_key *keys; /* sorted by name; those that some row has */
    size_t n_keys;
    const uint32_t *set;      /* per row; NULL: set 0 for all */
    uint32_t n_sets;          /* at least 1 */
    struct str_view *encoded; /* per set, once asked for; p == NULL before */
    uint32_t *row_of_set;     /* any row that has it */
    struct buf scratch;
    uint32_t *pairs; /* scratch: hash slots */
    size_t cap_pairs;
};
void row_metadata_init(struct row_metadata *m);
void row_metadata_deinit(struct row_metadata *m);
/* Turns to the decoder's chunk, of so many rows.  names NULL: all keys.  < 0: what the decoder says
 * of bytes it cannot read. */
int row_metadata_open(struct row_metadata *m, struct chunk_decoder *d, uint32_t rows,
                      const struct name_list *names, struct err *err);
static inline uint32_t row_metadata_set(const struct row_metadata *m, uint32_t row)
{
    return m->set ? m->set[row] : m->opaque ? row : 0;
}
/* Encoded labels: those keys that the rows of the set have; empty for none. */
struct str_view row_metadata_encoded(struct row_metadata *m, uint32_t set);
/* What it holds by now, for budgets; it does not charge. */
uint64_t row_metadata_mem_bytes(const struct row_metadata *m);
