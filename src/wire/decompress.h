/* SPDX-License-Identifier: Apache-2.0 */
/* decompress.h - the codings of request bodies, each with a bound.
 * Promise: no output over max_bytes is ever allocated for good, and a claim meets the bound and
 * the largest ratio its format can have before anything is allocated.
 * Errors: ERR_INVALID for bytes that do not decode, ERR_TOO_LARGE over the bound.
 * Threads: pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"

/* One snappy block (not the framing format). */
int decompress_snappy(struct str_view in, uint64_t max_bytes, struct arena *a, struct str_view *ret,
                      struct err *err);
/* One or more gzip members. */
int decompress_gzip(struct str_view in, uint64_t max_bytes, struct arena *a, struct str_view *ret,
                    struct err *err);
/* RFC 1951 without any header. */
int decompress_deflate(struct str_view in, uint64_t max_bytes, struct arena *a,
                       struct str_view *ret, struct err *err);
/* The length that a snappy block claims; false when it has none. */
bool snappy_claimed_bytes(struct str_view in, uint64_t *ret);
