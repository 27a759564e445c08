/* SPDX-License-Identifier: Apache-2.0 */
/* zframe.h - one zstd frame in, exactly so many bytes out.
 * Threads: a context belongs to one thread at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/err.h"

/* Appends the compressed form when it is smaller than `raw`; else appends nothing, false. */
bool zframe_put_if_smaller(ZSTD_CCtx *cctx, int level, struct str_view raw, struct buf *out);
/* The caller has bounded raw_bytes; a frame of any other size is ERR_CORRUPT. */
int zframe_get(ZSTD_DCtx *dctx, struct str_view frame, char *to, size_t raw_bytes, struct err *err);
