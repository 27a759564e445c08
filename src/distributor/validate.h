/* SPDX-License-Identifier: Apache-2.0 */
/* validate.h - marks what a tenant's limits refuse: whole streams by their labels, single entries
 * by time, length and metadata; and says why.
 * Threads: pure, but for the metrics of what was refused. */
#pragma once
#include "distributor/complaints.h"
#include "model/limits.h"
#include "model/push.h"

enum { VALIDATE_MAX_DAYS = 32 }; /* that the entries of one push may lie in */

struct validation {
    struct str_view tenant;
    const struct limits *limits;
    int64_t now_ns;                      /* wall clock of the request */
    struct complaints complaints;        /* of what is plainly wrong: 400 */
    struct str_view blocked;             /* why ingestion is blocked, p == NULL when it is not */
    uint64_t n_accepted, accepted_bytes; /* lines and metadata as sent */
    uint64_t n_entries, line_bytes, metadata_bytes; /* of all, accepted or not */
    int64_t days[VALIDATE_MAX_DAYS]; /* since 1970, of accepted entries; the last one first */
    size_t n_days;
};

/* Fills everything but the first three fields, which the caller sets. */
void validate_push(struct validation *v, struct arena *a, struct push_stream *streams,
                   size_t n_streams);
