/* SPDX-License-Identifier: Apache-2.0 */
/* sm.h - structured metadata of a chunk as columns, one per key.
 * The header names every key and holds, in the clear, the values of keys that have one value
 * (constant) or at most 256 (dictionary), so a whole chunk can be skipped or matched without its
 * rows.  Pairs of a row are sorted by name, so a row's encoded labels come back exactly.
 * Rows that are no canonical encoding, or a chunk of over 1,024 keys, are kept whole (opaque).
 * Threads: pure functions over the caller's memory. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

enum sm_kind { SM_CONST, SM_DICT, SM_PLAIN };
enum { SM_MAX_KEYS = 1024, SM_MAX_DICT_VALUES = 256, SM_MAX_DICT_BYTES = 4096 };

struct sm_key {
    struct str_view name;
    enum sm_kind kind;
    bool in_all_rows;
    uint32_t rows_present;         /* >= 1 */
    const struct str_view *values; /* SM_CONST: 1, SM_DICT: n_values; SM_PLAIN: none */
    uint32_t n_values;
    uint32_t payload_at, stored_bytes, raw_bytes; /* in the data section */
};

struct sm_header {
    bool opaque; /* rows are kept whole: keys unknown */
    const struct sm_key *keys;
    uint32_t n_keys;
    uint32_t opaque_stored_bytes, opaque_raw_bytes;
};

/* Value of a row: values[row_value[row] - 1], or absent where row_value[row] == 0. */
struct sm_column {
    const uint32_t *row_value;     /* rows of them */
    const struct str_view *values; /* NULL: no row has the key */
    uint32_t n_values;
};

/* NULL when absent. */
const struct sm_key *sm_header_find(const struct sm_header *h, struct str_view name);

/* Rows to be encoded: row i has set[row_set[i]]; sets are encoded labels, SM_EMPTY_SET for none. */
#define SM_EMPTY_SET UINT32_MAX
struct sm_rows {
    const uint32_t *row_set;
    uint32_t n_rows;
    const struct str_view *sets; /* each used by some row, none of length 0 */
    uint32_t n_sets;
};
/* Appends both sections; nothing when no row has metadata.  level_mask: chunk.h; 0 and
 * *ret_opaque for opaque rows. */
void sm_encode(const struct sm_rows *rows, struct ZSTD_CCtx_s *cctx, int zstd_level,
               struct arena *scratch, struct buf *out_header, struct buf *out_data,
               uint16_t *ret_level_mask, bool *ret_opaque);

/* `section` must live as long as the header: names and values are views into it. */
int sm_decode_header(struct arena *a, struct str_view section, uint32_t rows,
                     uint64_t limit_raw_bytes, struct sm_header *ret, struct err *err);
/* One key of that header, from the whole data section. */
int sm_decode_column(struct arena *a, struct str_view data, const struct sm_key *key, uint32_t rows,
                     struct ZSTD_DCtx_s *dctx, struct sm_column *ret, struct err *err);
/* The rows of an opaque header: start has rows + 1 offsets into *ret_bytes. */
int sm_decode_opaque(struct arena *a, struct str_view data, const struct sm_header *h,
                     uint32_t rows, struct ZSTD_DCtx_s *dctx, const uint32_t **ret_start,
                     struct str_view *ret_bytes, struct err *err);
