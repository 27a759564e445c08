/* SPDX-License-Identifier: Apache-2.0 */
/* log_merge.h - log results of several tenants as one: by time, equal times by tenant; each stream
 * with its tenant's label.
 * Threads: one at a time. */
#pragma once
#include "query/engine.h"

struct log_part {
    struct str_view tenant;
    struct log_result result;
};
/* The first `limit` rows.  *ret borrows the parts; it is deinitialised by the caller, like them,
 * also after a failure. */
int log_merge(const struct log_part *parts, size_t n_parts, const struct log_options *options,
              struct query_control *control, struct log_result *ret, struct err *err);
