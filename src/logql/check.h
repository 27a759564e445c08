/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what the grammar alone cannot say: regexes, parameters, groupings, selectors, stages.
 * The first group is asked while parsing, as soon as the construct is complete; check_tree() once
 * the whole query has parsed.  All return 0 or ERR_INVALID with "parse error : ..." complete. */
#pragma once
#include "base/err.h"
#include "logql/ast.h"

/* The value of a matcher or a string filter; only regexes can be wrong. */
int check_match_value(struct err *err, enum match_op op, struct str_view value);
/* The text of a regexp or pattern stage; line_format is checked with the tree. */
int check_parser_text(struct err *err, const struct stage *stage);
int check_label_replace(struct err *err, struct str_view regex);
/* Operands of a binary operation: metric ones, and no literal in a set operation. */
int check_operands(struct err *err, const struct logql_expr *binary);
/* `param` is the parameter as written, p == NULL when there was none.  Stores its value. */
int check_range_agg(struct err *err, struct range_agg *agg, struct str_view param);
int check_vector_agg(struct err *err, struct logql_expr *agg, struct str_view param);

/* Every selector has a matcher that does not match the empty value; every stage can be built. */
int check_tree(const struct logql_expr *e, struct err *err);
