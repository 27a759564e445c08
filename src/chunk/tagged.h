/* SPDX-License-Identifier: Apache-2.0 */
/* tagged.h - a list of typed sections, so that a later version may add some: directories of parts
 * and the footer.  Section:  u8 type;  u8 encoding (0 raw, 1 zstd);  varint stored bytes;
 * zstd only: varint raw bytes;  the stored bytes.  Types from 0x80 on must be understood, lower
 * ones may be skipped.
 * Threads: pure. */
#pragma once
#include <stdint.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum { TAGGED_MAX_RAW_BYTES = 256 << 20, TAGGED_MUST_KNOW = 0x80 };

/* ERR_INVALID, and nothing appended, over TAGGED_MAX_RAW_BYTES. */
int tagged_put(struct buf *out, uint8_t type, struct str_view raw, ZSTD_CCtx *cctx, int level,
               struct err *err);

struct tagged {
    uint8_t type;
    struct str_view raw; /* a view of the input, or of `scratch` until the next section */
};
/* 1 a section, 0 the end, < 0 broken. */
int tagged_next(struct reader *in, struct tagged *ret, ZSTD_DCtx *dctx, struct buf *scratch,
                struct err *err);
/* For a section of a type the caller does not know. */
int tagged_skip(const struct tagged *t, struct err *err);
