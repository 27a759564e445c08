/* SPDX-License-Identifier: Apache-2.0 */
/* len.h - a column of lengths: one constant, or byte planes (all low bytes, then the next ...).
 * Threads: pure. */
#pragma once
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/* Appends; rows >= 1.  `scratch` is working memory. */
void len_encode(struct buf *out, const uint32_t *lens, uint32_t rows, struct ZSTD_CCtx_s *cctx,
                int zstd_level, struct buf *scratch);
/* Fills rows + 1 starts: start[0] = 0, start[i + 1] = start[i] + length + gap.  The last must be
 * total_bytes. */
int len_decode(struct str_view section, uint32_t *ret_start, uint32_t rows, uint32_t gap,
               uint64_t total_bytes, struct ZSTD_DCtx_s *dctx, struct buf *scratch,
               struct err *err);
