/* SPDX-License-Identifier: Apache-2.0 */
/* discard.h - counts what is refused: loki_discarded_samples_total and loki_discarded_bytes_total,
 * whoever refuses it.
 * Threads: any. */
#pragma once
#include "base/str_view.h"
#include "model/limits.h"

/* The `reason` label of the metrics. */
#define DISCARD_INVALID_LABELS "invalid_labels"
#define DISCARD_MISSING_LABELS "missing_labels"
#define DISCARD_MAX_LABEL_NAMES "max_label_names_per_series"
#define DISCARD_LABEL_NAME_TOO_LONG "label_name_too_long"
#define DISCARD_LABEL_VALUE_TOO_LONG "label_value_too_long"
#define DISCARD_DUPLICATE_LABEL_NAMES "duplicate_label_names"
#define DISCARD_MISSING_ENFORCED_LABELS "missing_enforced_labels"
#define DISCARD_BLOCKED "blocked_ingestion"
#define DISCARD_TOO_OLD "greater_than_max_sample_age"
#define DISCARD_TOO_NEW "too_far_in_future"
#define DISCARD_TOO_MANY_DAYS "too_many_days"
#define DISCARD_LINE_TOO_LONG "line_too_long"
#define DISCARD_NO_METADATA "disallowed_structured_metadata"
#define DISCARD_METADATA_TOO_LARGE "structured_metadata_too_large"
#define DISCARD_METADATA_TOO_MANY "structured_metadata_too_many"
#define DISCARD_RATE_LIMITED "rate_limited"
#define DISCARD_STREAM_LIMIT "stream_limit"
#define DISCARD_PER_STREAM_RATE_LIMIT "per_stream_rate_limit"
#define DISCARD_TOO_FAR_BEHIND "too_far_behind"
#define DISCARD_OUT_OF_ORDER "out_of_order"

void discard_count(const char *reason, struct str_view tenant, const struct limits *limits,
                   uint64_t n_entries, uint64_t bytes);
/* The `retention_hours` label of several metrics; writes into text. */
struct str_view retention_hours_text(const struct limits *limits, char text[24]);
