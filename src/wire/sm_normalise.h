/* SPDX-License-Identifier: Apache-2.0 */
/* sm_normalise.h - structured metadata as senders write it to a valid label set.
 * Threads: pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"

/* Renames in place, sorts, lets the last of equal names win, drops empty values.  New text is in
 * the arena.  ERR_INVALID for a name that is empty or only underscores. */
int sm_normalise(struct arena *a, struct label *v, size_t *n, struct err *err);
/* One name: what stands outside [A-Za-z0-9] becomes one '_', 1x becomes key_1x, __x__ stays. */
int sm_normalise_name(struct arena *a, struct str_view name, struct str_view *ret, struct err *err);
/* Each byte of invalid UTF-8, and U+FFFD itself, becomes a blank. */
struct str_view sm_normalise_value(struct arena *a, struct str_view value);
