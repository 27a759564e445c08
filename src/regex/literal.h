/* SPDX-License-Identifier: Apache-2.0 */
/* literal.h - what can be known of a regex without running it: the byte strings that its matches
 * must contain, and whether a plain string test gives the same answer.
 * A literal is never empty and never holds U+FFFD (a regex for U+FFFD also matches invalid bytes).
 * With `fold` set, its bytes are ASCII, letters in lower case, and ASCII case folding is exact:
 * k, s and non-ASCII characters under (?i) never stand in a fold literal (U+212A and U+017F fold
 * to k and s); the literal is cut there.  Without `fold` the bytes are to be found as they are.
 * Threads: immutable, lives as long as the regex. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str_view.h"

struct regex_literal {
    struct str_view bytes;
    bool fold;
};

/* Every matching text contains at least one of these. */
struct regex_clause {
    const struct regex_literal *any;
    size_t n_any;   /* >= 1 */
    size_t min_len; /* of the shortest */
};

/* How the verdict of regex_matches can be had from `lits` alone, exactly and on any bytes. */
enum regex_shape {
    REGEX_SHAPE_OTHER,    /* it cannot: run the matcher */
    REGEX_SHAPE_ALWAYS,   /* matches every text */
    REGEX_SHAPE_NEVER,    /* matches no text */
    REGEX_SHAPE_CONTAINS, /* contains one of lits */
    REGEX_SHAPE_EQUALS,   /* is one of lits, or empty where lits_or_empty is set */
    REGEX_SHAPE_PREFIX,   /* starts with one of lits */
    REGEX_SHAPE_SUFFIX,   /* ends with one of lits */
};

struct regex_literals {
    enum regex_shape shape;
    const struct regex_literal *lits; /* of the shape; none for OTHER, ALWAYS, NEVER */
    size_t n_lits;
    bool lits_or_empty;
    /* All clauses hold for every match; the most selective one stands first.  They skip work and
     * prove nothing: a text that satisfies them may still not match. */
    const struct regex_clause *clauses;
    size_t n_clauses;
    size_t min_len;         /* bytes of the shortest match */
    bool anchored_start;    /* a match can only begin at the start of the text */
    bool anchored_end;      /* a match can only end at the end of the text */
    bool may_match_newline; /* a match may contain \n */
};
