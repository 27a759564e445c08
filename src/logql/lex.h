/* SPDX-License-Identifier: Apache-2.0 */
/* lex.h - LogQL text to tokens, one at a time.
 * A struct lexer is a small value: copying it saves the place, assigning the copy back returns to
 * it.  Total time is linear in the text.  Positions are 1-based and columns count characters. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"
#include "logql/ast.h"

enum token_kind {
    T_END,
    T_IDENTIFIER,
    T_OTHER, /* a character that starts no token; reported as IDENTIFIER */
    T_STRING,
    T_NUMBER,
    T_BYTES,
    T_DURATION,
    T_RANGE,
    T_FLAG,
    /* punctuation and operators */
    T_OPEN_BRACE,
    T_CLOSE_BRACE,
    T_OPEN_PAREN,
    T_CLOSE_PAREN,
    T_CLOSE_BRACKET,
    T_COMMA,
    T_DOT,
    T_EQ,
    T_CMP_EQ,
    T_NEQ,
    T_RE,
    T_NRE,
    T_PIPE,
    T_PIPE_EXACT,
    T_PIPE_MATCH,
    T_PIPE_PATTERN,
    T_NPA,
    T_ADD,
    T_SUB,
    T_MUL,
    T_DIV,
    T_MOD,
    T_POW,
    T_GT,
    T_GTE,
    T_LT,
    T_LTE,
    /* reserved words */
    T_BY,
    T_WITHOUT,
    T_BOOL,
    T_ON,
    T_IGNORING,
    T_GROUP_LEFT,
    T_GROUP_RIGHT,
    T_OFFSET,
    T_UNWRAP,
    T_OR,
    T_AND,
    T_UNLESS,
    T_JSON,
    T_LOGFMT,
    T_REGEXP,
    T_PATTERN,
    T_UNPACK,
    T_LABEL_FORMAT,
    T_LINE_FORMAT,
    T_DECOLORIZE,
    T_DROP,
    T_KEEP,
    /* words that are functions only before a parenthesis */
    T_RANGE_OP,  /* .op: enum range_op */
    T_VECTOR_OP, /* .op: enum vector_op */
    T_CONV,      /* .op: enum unwrap_conv */
    T_VECTOR,
    T_LABEL_REPLACE,
    T_IP,
};

enum flag_op { FLAG_STRICT, FLAG_KEEP_EMPTY };

struct token {
    enum token_kind kind;
    int op;               /* of RANGE_OP, VECTOR_OP, CONV, FLAG */
    struct str_view text; /* as written; of STRING the value, of RANGE what the brackets hold */
    int64_t ns;           /* of DURATION, RANGE */
    uint64_t bytes;       /* of BYTES */
    unsigned line, col;
};

struct lexer {
    struct arena *arena;
    struct str_view text;
    size_t at;
    unsigned line, col; /* of text.p[at] */
};

/* Skips a byte order mark.  ERR_INVALID when the text is too long. */
int lexer_init(struct lexer *lx, struct arena *a, struct str_view text, struct err *err);
/* ERR_INVALID with the complete text of the error. */
int lexer_next(struct lexer *lx, struct token *ret, struct err *err);
/* How error texts spell the token: "json", "|=", "IDENTIFIER", "COUNT_OVER_TIME". */
const char *token_text(const struct token *t);
/* "parse error at line 1, col 9: ..." at the token. */
int token_fail(const struct token *t, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
