/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.h - `| unpack`: a JSON object whose member _entry holds the line. */
#pragma once
#include "base/arena.h"
#include "lines/emit.h"

/* With a string member _entry: *ret_line is it, and the other string members are emitted.  Without:
 * *ret_line is the line, nothing is emitted.  LINE_E_FAULT (line unchanged, nothing emitted) when
 * it is no JSON object; an empty line is passed through. */
int unpack_line(struct str_view line, struct arena *scratch, emit_fn *emit, void *ctx,
                struct str_view *ret_line, struct str_view *ret_details);
