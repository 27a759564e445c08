/* SPDX-License-Identifier: Apache-2.0 */
/* const.h - the constants of a template as Go writes them; private to this folder.
 * The token has the kind that the name says; errors are the parser's. */
#pragma once
#include "template/lex.h"
#include "template/value.h"

int tconst_number(const struct ttoken *t, struct tvalue *ret, struct err *err);
/* A rune is a number. */
int tconst_char(struct arena *a, const struct ttoken *t, struct tvalue *ret, struct err *err);
int tconst_string(struct arena *a, const struct ttoken *t, struct tvalue *ret, struct err *err);
