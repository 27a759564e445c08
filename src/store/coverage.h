/* SPDX-License-Identifier: Apache-2.0 */
/* coverage.h - which batches of a source stand in segments.
 * Pure. */
#pragma once
#include "model/lsn_set.h"
#include "store/segment_info.h"

/* Adds what the n segments cover of that source. */
void coverage_of(const struct segment_info *v, size_t n, struct uuid source, struct lsn_set *to);
