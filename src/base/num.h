/* SPDX-License-Identifier: Apache-2.0 */
/* num.h - numbers as decimal text, quickly.
 * Threads: pure. */
#pragma once
#include "base/bytes.h"

/* A double needs at most this many bytes: 1.8e308 and 5e-324 written out. */
enum { NUM_FLOAT_BYTES = 352 };

void num_put_u64(struct buf *out, uint64_t v);
void num_put_i64(struct buf *out, int64_t v);
/* The shortest decimal that reads back as v, never with an exponent: 3, 0.25, -0,
 * 100000000000000000000, NaN, +Inf, -Inf.  What Loki writes as a sample value. */
void num_put_float(struct buf *out, double v);
/* Writes at most NUM_FLOAT_BYTES, no NUL; returns the length. */
size_t num_float_text(double v, char *out);
/* The fewest digits that read back as v, which is finite and not negative, and the exponent of the
 * first one: 0.25 is "25" and -1, 0 is "0" and 0.  Returns how many; no NUL. */
enum { NUM_SHORTEST_DIGITS = 17 };
int num_shortest(double v, char digits[NUM_SHORTEST_DIGITS], int *ret_exponent);
/* Seconds with up to three decimals, no trailing zeros: a sample's time. */
void num_put_seconds(struct buf *out, int64_t ns);
