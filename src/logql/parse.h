/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - LogQL text to tree.
 * Errors are ERR_INVALID and carry Loki's whole text: "parse error at line 1, col 9: ...".
 * Time and memory are linear in the text.  Pure: no state, any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "logql/ast.h"

/* The whole language, with the static and the build-time checks.  The tree lies in `a` and
 * borrows `query`. */
int logql_parse(struct arena *a, struct str_view query, const struct logql_expr **ret,
                struct err *err);
/* A plain selector {a="b"}: "only label matchers are supported" for everything else. */
int logql_parse_selector(struct arena *a, struct str_view query, const struct matcher **ret,
                         size_t *ret_n, struct err *err);
/* The same without the rule that one matcher must not match the empty value: {} is all streams. */
int logql_parse_matchers(struct arena *a, struct str_view query, const struct matcher **ret,
                         size_t *ret_n, struct err *err);
