/* SPDX-License-Identifier: Apache-2.0 */
/* lake_fill.h - random entries of two tenants over three hours: late ones, repeats, equal times,
 * all kinds of lines and metadata; moved between heads, segments and objects while they come. */
#pragma once
#include "lake.h"

enum { LAKE_SPAN_S = 3 * LAKE_PERIOD_S };

/* The same seed gives the same data. */
void random_start(uint64_t seed);
uint32_t random_below(uint32_t n);
bool one_in(uint32_t n);
void lake_fill(struct lake *l);
/* The same, but all of it stays in heads. */
void lake_fill_heads(struct lake *l, unsigned n_entries);
