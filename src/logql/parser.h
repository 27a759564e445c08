/* SPDX-License-Identifier: Apache-2.0 */
/* parser.h - the state that parse*.c share: one token of look-ahead over the lexer.
 * Functions return 0 or ERR_INVALID with the error filled.  They are entered with the first token
 * of their construct in `tok` and leave the first one after it there.
 * The lists after "expecting" are part of the contract with clients: they name what Loki's
 * grammar can take at that place, and are left out where it could take more than four things. */
#pragma once
#include "logql/lex.h"

enum {
    NEST_MAX = LOGQL_MAX_DEPTH / 2, /* of expressions, and again of a label filter */
    /* Recursion: the printed form of a tree takes two steps for each of its levels. */
    NESTING_MAX = 2 * LOGQL_MAX_DEPTH,
};

struct parser {
    struct arena *arena;
    struct lexer lx;
    struct token tok;
    struct err *err;
    unsigned nesting;
};

int parser_next(struct parser *p);
/* "syntax error: unexpected <tok>[, expecting <expecting>]"; expecting may be NULL. */
int parser_unexpected(struct parser *p, const char *expecting);
/* Takes one token of that kind. */
int parser_take(struct parser *p, enum token_kind kind, const char *expecting);
/* Takes a STRING or an IDENTIFIER and yields its text. */
int parser_take_text(struct parser *p, enum token_kind kind, const char *expecting,
                     struct str_view *ret);
int parser_too_deep(struct parser *p);
/* "parse error : <text>" of an error that has no place. */
int parser_fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* NUMBER with an optional sign. */
int parser_take_number(struct parser *p, double *ret, struct str_view *ret_text);

/* The list (in the arena, elements of elem_bytes, n of them) with room for one more; doubles. */
void *parser_grow(struct parser *p, const void *list, size_t n, size_t elem_bytes);

/* parse_stage.c */
int parse_selector(struct parser *p, struct log_query *log);
/* As many stages as there are.  Ends at `| unwrap` with *ret_unwrap set (tok is `unwrap`); with
 * ret_unwrap == NULL that is an error. */
int parse_stages(struct parser *p, struct log_query *log, bool *ret_unwrap);

/* parse_filter.c */
int parse_label_filter(struct parser *p, const struct label_filter **ret);
/* `ip ( STRING )` */
int parse_ip(struct parser *p, struct str_view *ret);
/* IDENTIFIER op STRING after the name was taken and an operator stands in tok. */
bool match_op_of_token(enum token_kind kind, enum match_op *ret);

/* parse_metric.c */
int parse_range_agg(struct parser *p, const struct logql_expr **ret);
int parse_vector_agg(struct parser *p, const struct logql_expr **ret);
int parse_names(struct parser *p, struct name_list *ret);
int parse_grouping(struct parser *p, struct grouping *ret);

/* parse.c */
int parse_metric_expr(struct parser *p, const struct logql_expr **ret);
