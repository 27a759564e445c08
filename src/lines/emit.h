/* SPDX-License-Identifier: Apache-2.0 */
/* emit.h - how the line parsers hand over what they find, one pair at a time.
 * Names are sanitised; which of them become labels, and under what name, is the receiver's to say
 * (labels_builder.h).  Views point into the line or into the scratch arena that the parser was
 * given, and live until that is cleared.  false ends the parsing early: enough was found, so
 * faults further on in the line are not seen. */
#pragma once
#include <stdbool.h>

#include "base/str_view.h"

typedef bool emit_fn(void *ctx, struct str_view name, struct str_view value);

/* What a line parser says when the line is not what it parses; both are > 0. */
enum line_outcome {
    LINE_OK = 0,
    LINE_E_FAULT, /* sets the error; what was emitted before stays */
};
