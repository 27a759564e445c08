/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - tree to text.  Promise: parsing what is printed gives an equal tree (logql_equal). */
#pragma once
#include "base/bytes.h"
#include "logql/ast.h"

/* The canonical form, on one line. */
void logql_print(struct buf *out, const struct logql_expr *e);
void logql_print_selector(struct buf *out, const struct matcher *v, size_t n);
void logql_print_stage(struct buf *out, const struct stage *s);
void logql_print_unwrap(struct buf *out, const struct unwrap *u); /* without post filters */
void logql_print_label_filter(struct buf *out, const struct label_filter *f);
void logql_print_grouping(struct buf *out, const struct grouping *g);
/* "/", "> bool on (a) group_left (b)": the operator with its modifiers. */
void logql_print_operator(struct buf *out, const struct logql_expr *binary);
/* "[5m] offset 1h" */
void logql_print_range(struct buf *out, const struct range_agg *agg);

/* For people (format_query): what exceeds 100 characters is broken over lines and indented. */
void logql_format(struct buf *out, const struct logql_expr *e);
