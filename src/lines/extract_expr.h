/* SPDX-License-Identifier: Apache-2.0 */
/* extract_expr.h - the expressions of `| json dst="a.b[0]"` and `| logfmt dst="key"`.
 * Views borrow the text; arrays lie in the arena.  ERR_INVALID "cannot parse expression [x]: ...".
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"

struct json_step {
    struct str_view key; /* p == NULL: an array index */
    size_t index;
};

enum { JSON_PATH_MAX = 200 };

struct json_path {
    const struct json_step *v;
    size_t n; /* 1 to JSON_PATH_MAX */
};

int json_path_parse(struct arena *a, struct str_view text, struct json_path *ret, struct err *err);
/* The key as it stands between the quotes, or the bare identifier. */
int logfmt_key_parse(struct str_view text, struct str_view *ret, struct err *err);
