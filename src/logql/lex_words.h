/* SPDX-License-Identifier: Apache-2.0 */
/* lex_words.h - the words of LogQL: a lower-case text to the token it stands for. */
#pragma once
#include "logql/lex.h"

struct word {
    const char *text;
    const char *shown; /* in errors */
    enum token_kind kind;
    int op;
    bool is_function; /* a plain identifier unless a parenthesis follows */
};

enum { WORD_MAX_BYTES = 18 };

/* Any case; NULL when it is no word of the language. */
const struct word *word_find(struct str_view text);
/* The word behind a token of one of the word kinds. */
const struct word *word_of_token(enum token_kind kind, int op);
