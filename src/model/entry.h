/* SPDX-License-Identifier: Apache-2.0 */
/* entry.h - one log line: when, what, and its structured metadata.  Borrowed views. */
#pragma once
#include <stdint.h>

#include "base/str_view.h"

struct entry {
    int64_t ts_ns;
    struct str_view line;
    struct str_view sm; /* encoded labels (model/labels.h), or empty for none */
};
