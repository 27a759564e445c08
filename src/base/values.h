/* SPDX-License-Identifier: Apache-2.0 */
/* values.h - the scalar notations of LogQL: numbers, durations, byte sizes, text to value and back
 * (base/num.h prints numbers). Shared by the lexer, the label filters, unwrap and the answers.
 * Pure; nothing allocates. Errors are ERR_INVALID with Go's text (they end up in
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
