/* SPDX-License-Identifier: Apache-2.0 */
/* decompress.h - the codings of request bodies, each with a bound.
 * Promise: no output over max_bytes is ever allocated for good, a claim meets the bound and the
 * largest ratio its format can have before anything is allocated, and `reserve` (may be NULL) is
 * asked for all of it first.
 * Errors: ERR_INVALID for bytes that do not decode, ERR_TOO_LARGE over the bound, ERR_UNAVAILABLE
 * when reserve says no.
 * Threads: pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/reserve.h"
#include "base/str_view.h"

/* One snappy block (not the framing format). */
int decompress_snappy(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                      struct arena *a, struct str_view *ret, struct err *err);
/* One or more gzip members. */
int decompress_gzip(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                    struct arena *a, struct str_view *ret, struct err *err);
/* RFC 1951 without any header. */
int decompress_deflate(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                       struct arena *a, struct str_view *ret, struct err *err);
/* The longest block whose text has at most that many bytes: some encoders waste. */
uint64_t snappy_max_block_bytes(uint64_t text_bytes);
