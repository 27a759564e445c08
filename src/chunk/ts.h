/* SPDX-License-Identifier: Apache-2.0 */
/* ts.h - the time column: the coarsest unit that divides all, deltas bit-packed in groups of 128,
 * steps back (where another stream's rows begin) and outliers apart.  Any int64 values, any order.
 * Threads: pure. */
#pragma once
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum ts_unit { TS_NS, TS_US, TS_MS, TS_S, TS_N_UNITS };

/* Appends; rows >= 1. */
void ts_encode(struct buf *out, const int64_t *ts_ns, uint32_t rows, enum ts_unit *ret_unit);
/* Fills `rows` values; the section must hold exactly those. */
int ts_decode(struct str_view section, int64_t *ret_ts_ns, uint32_t rows, struct err *err);
