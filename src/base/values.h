/* SPDX-License-Identifier: Apache-2.0 */
/* values.h - scalars as text: numbers, durations and sizes, read and written in each notation that
 * queries, lines, templates and settings use (base/num.h prints numbers, base/conf adds what its
 * settings ask for).
 * Pure; nothing allocates.  Errors are ERR_INVALID with Go's text (queries show them in
 * __error_details__); err may be NULL.  A text that is not understood is shown cut to fit. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "base/str_view.h"

/* ---- number.c ---- */

/* Go's float grammar: decimal, exponent, hex float, `1_0`, inf, nan, a sign; no blanks. */
int number_parse(struct str_view text, double *ret, struct err *err);

/* ---- duration.c ---- */

/* `1d12h`: whole numbers, units y w d h m s ms in falling order, each once; also `0`. */
int duration_parse_prom(struct str_view text, int64_t *ret_ns, struct err *err);
/* `-1h2.5m`: units h m s ms us ns in any order; also `0`. */
int duration_parse_go(struct str_view text, int64_t *ret_ns, struct err *err);
/* `36h`, `1d12h`: what duration_parse_prom reads back.  Whole milliseconds, not negative. */
void buf_put_duration_prom(struct buf *out, int64_t ns);
/* `1h2m30s`, `1.5ms`, `0s`: what duration_parse_go reads back. */
void buf_put_duration_go(struct buf *out, int64_t ns);

/* ---- bytesize.c ---- */

/* `1,024 KiB`: humanised, unit without case, blanks before it; cut to whole bytes. */
int bytesize_parse(struct str_view text, uint64_t *ret, struct err *err);
/* The literal of a query: `1.5GiB`; the unit's case matters, no blanks, commas or exa. */
bool bytesize_parse_literal(struct str_view text, uint64_t *ret);
/* A setting's `256KB`, `1.5 MiB`, `100`: each unit is a power of 1024, without case, up to peta;
 * blanks before it; to the nearest byte, at most INT64_MAX. */
bool bytesize_parse_binary(struct str_view text, uint64_t *ret);
