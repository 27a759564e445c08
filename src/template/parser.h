/* SPDX-License-Identifier: Apache-2.0 */
/* parser.h - the state of parsing a template, its tokens and its pipelines; private to
 * this folder.
 * Errors are Go's, with the line of the token; results < 0 failed. */
#pragma once
#include "template/ast.h"
#include "template/lex.h"

enum { TPARSER_MAX_DEPTH = 100 }; /* of nested blocks and parentheses */

struct tparser {
    struct arena *arena;
    struct template *t;
    struct ttoken *tokens;
    size_t at;
    struct str_view *vars; /* in scope */
    size_t n_vars, cap_vars;
    unsigned depth, range_depth;
    uint32_t action_line; /* of the {{ we are in; 0 outside */
};

struct ttoken *tparser_peek(struct tparser *p);
struct ttoken *tparser_next(struct tparser *p); /* and goes on, but never past the end */
void tparser_skip_blank(struct tparser *p);
uint32_t tparser_last_line(const struct tparser *p); /* of the token read last */
bool tparser_is_keyword(struct str_view word);
/* `unexpected "x" in command`, or the fault that the lexer found. */
int tparser_unexpected(struct tparser *p, const struct ttoken *t, const char *where,
                       struct err *err);
void tparser_declare(struct tparser *p, struct str_view name);
bool tparser_declared(const struct tparser *p, struct str_view name);
/* A pipeline and the token that ends it. */
int tparser_pipe(struct tparser *p, const char *where, enum ttoken_kind end, struct tpipe **ret,
                 struct err *err);
