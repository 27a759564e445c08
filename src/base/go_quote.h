/* SPDX-License-Identifier: Apache-2.0 */
/* go_quote.h - text as Go's %q prints it: what clients of Loki see in errors and label sets.
 * Pure. */
#pragma once
#include "base/bytes.h"
#include "base/str_view.h"

/* With quotes around it, as Go's strconv.Quote. */
void go_quote(struct buf *out, struct str_view text);
