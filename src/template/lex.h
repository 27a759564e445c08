/* SPDX-License-Identifier: Apache-2.0 */
/* lex.h - tokens of a template; private to this folder. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"

enum ttoken_kind {
    TT_TEXT,
    TT_OPEN,  /* {{ */
    TT_CLOSE, /* }} */
    TT_BLANK,
    TT_IDENT, /* word, function, keyword */
    TT_FIELD, /* .name, its dot included */
    TT_DOT,
    TT_VARIABLE, /* $ or $name */
    TT_STRING,
    TT_RAW,
    TT_CHAR,
    TT_NUMBER,
    TT_DECLARE, /* := */
    TT_ASSIGN,  /* = */
    TT_PIPE,
    TT_LEFT,
    TT_RIGHT,
    TT_COMMA,
    TT_OTHER, /* another printable character */
    TT_FAULT, /* text says what is wrong; nothing follows */
    TT_END,
};

struct ttoken {
    enum ttoken_kind kind;
    struct str_view text;
    uint32_t line; /* 1-based */
    uint32_t col;  /* bytes since the line's start, 0-based: Go counts so */
};

/* All tokens, TT_END or TT_FAULT last; trim markers applied, comments dropped.  What is wrong is
 * told when the parser comes to it: an error further up is told first. */
struct ttoken *ttokens_of(struct arena *a, struct str_view text);
/* `template: line:1: ` and the reason. */
int terr(struct err *err, uint32_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
