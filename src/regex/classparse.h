/* SPDX-License-Identifier: Apache-2.0 */
/* classparse.h - the pieces of syntax that name characters: escapes, classes, \p{...}.
 * A reader position in the pattern and the errors that point into it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"
#include "regex/charclass.h"

/* Ranges handled while classes are built; bounds the time that a hostile pattern takes. */
enum { PARSE_MAX_SET_WORK = 1 << 20 };

struct parse_in {
    struct str_view pattern;
    size_t at;
    struct err *err;
};

/* "error parsing regexp: <what>: `<where>`" */
int parse_fail(struct parse_in *in, const char *what, struct str_view where);

static inline bool parse_peek(const struct parse_in *in, char c)
{
    return in->at < in->pattern.len && in->pattern.p[in->at] == c;
}

static inline struct str_view parse_text(const struct parse_in *in, size_t from, size_t to)
{
    return sv_sub(in->pattern, from, to - from);
}

int parse_rune(struct parse_in *in, uint32_t *ret);
int parse_check_utf8(struct parse_in *in, struct str_view text);
/* \n \x41 \x{10FFFF} \012 \. at in->at */
int parse_escape(struct parse_in *in, uint32_t *ret);
/* \d \S \pL \P{^Greek} at in->at; *ret stays NULL where there is none. */
int parse_class_escape(struct parse_in *in, struct set_pool *pool, bool fold,
                       const struct rune_set **ret);
/* [...] at in->at */
int parse_class(struct parse_in *in, struct set_pool *pool, bool fold, const struct rune_set **ret);
