/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - `| json` with and without expressions, over one line.
 * Time is linear in the line; nothing is allocated but from the scratch arena, and that only for
 * escapes, joined names and odd keys.  Any bytes are safe. */
#pragma once
#include "base/arena.h"
#include "lines/emit.h"
#include "lines/extract_expr.h"

/* Every scalar of the object, nested names joined by `_`, in document order.  LINE_E_FAULT when
 * the line is no object or breaks off; *ret_details then says how. */
int json_flatten(struct str_view line, struct arena *scratch, emit_fn *emit, void *ctx,
                 struct str_view *ret_details);

/* Expressions, ready to be looked up together. */
struct json_paths {
    const struct json_path *sorted;
    const size_t *place; /* of sorted[i] in the list given */
    size_t n;
};
struct json_paths json_paths_new(struct arena *a, const struct json_path *paths, size_t n);

/* values[i] is what path i leads to: unescaped text, numbers and containers as written, empty for
 * null; p == NULL where it leads nowhere.  LINE_E_FAULT when the line cannot be JSON or a value
 * that was asked for is broken; details may then be p == NULL.  An empty line is no fault: all
 * values are missing, and the stage does nothing. */
int json_extract(struct str_view line, const struct json_paths *paths, struct arena *scratch,
                 struct str_view *values, struct str_view *ret_details);
