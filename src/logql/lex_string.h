/* SPDX-License-Identifier: Apache-2.0 */
/* lex_string.h - the two forms of string literal: "..." with escapes, `...` raw. */
#pragma once
#include "base/arena.h"
#include "base/str_view.h"

/* Length of the literal that `text` starts with, both quotes included, in *ret_len.  Returns NULL,
 * or what is wrong with it (then *ret_len is what was looked at). */
const char *string_literal_scan(struct str_view text, size_t *ret_len);
/* The value of a whole literal: a view into it, or a copy in the arena where escapes stand in it.
 * False when an escape names no character. */
bool string_literal_value(struct arena *a, struct str_view literal, struct str_view *ret);
