/* SPDX-License-Identifier: Apache-2.0 */
/* lex_number.h - how far a number, and a unit glued to it, reaches. */
#pragma once
#include "base/str_view.h"

struct number_scan {
    size_t bytes;
    char fault[64]; /* empty, or what is wrong with it */
};

/* Go's number literals, so a text like 08 or 1e has a fault of its own. */
void number_literal_scan(struct str_view text, struct number_scan *ret);
/* Leading bytes of `text` that a duration or a byte size may hold after its first digits. */
size_t duration_chars(struct str_view text);
size_t bytesize_chars(struct str_view text);
