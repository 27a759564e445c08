/* SPDX-License-Identifier: Apache-2.0 */
/* rfc3339.h - reads times as 2026-03-01T10:00:00.5Z or 2026-03-01T11:00:00+01:00.
 * clock_rfc3339() writes them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str_view.h"

/* Strict; digits after the ninth of the fraction are dropped.  False when the text is not a time or
 * does not fit (years 1678 to 2261 do). */
bool rfc3339_parse(struct str_view text, int64_t *ret_ns);
