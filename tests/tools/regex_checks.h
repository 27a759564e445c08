/* SPDX-License-Identifier: Apache-2.0 */
/* regex_checks.h - whether what regex_literals() promises is true of one text; the slow way. */
#pragma once
#include "regex/regex.h"

/* The shape must give the verdict by itself. */
static bool shape_agrees(const struct regex *re, struct str_view text, bool verdict)
{
    const struct regex_literals *l = regex_literals(re);
    bool found = l->lits_or_empty && text.len == 0;
    for (size_t i = 0; i < l->n_lits; i++) {
        struct str_view lit = l->lits[i].bytes;
        for (size_t at = 0; at + lit.len <= text.len; at++) {
            struct str_view here = sv_sub(text, at, lit.len);
            bool eq = l->lits[i].fold ? sv_eq_nocase(here, lit) : sv_eq(here, lit);
            bool placed = l->shape == REGEX_SHAPE_CONTAINS ||
                          (l->shape == REGEX_SHAPE_PREFIX && at == 0) ||
                          (l->shape == REGEX_SHAPE_SUFFIX && at + lit.len == text.len) ||
                          (l->shape == REGEX_SHAPE_EQUALS && lit.len == text.len);
            found |= eq && placed;
        }
    }
    if (l->shape == REGEX_SHAPE_OTHER)
        return true;
    if (l->shape == REGEX_SHAPE_ALWAYS || l->shape == REGEX_SHAPE_NEVER)
        return verdict == (l->shape == REGEX_SHAPE_ALWAYS);
    return found == verdict;
}

static bool clauses_hold(const struct regex *re, struct str_view match)
{
    const struct regex_literals *l = regex_literals(re);
    for (size_t c = 0; c < l->n_clauses; c++) {
        bool found = false;
        for (size_t i = 0; i < l->clauses[c].n_any && !found; i++) {
            const struct regex_literal *lit = &l->clauses[c].any[i];
            for (size_t at = 0; at + lit->bytes.len <= match.len && !found; at++) {
                struct str_view here = sv_sub(match, at, lit->bytes.len);
                found = lit->fold ? sv_eq_nocase(here, lit->bytes) : sv_eq(here, lit->bytes);
            }
        }
        if (!found)
            return false;
    }
    return true;
}

/* NULL when what the literals promise is true of this verdict and match, else what is not. */
static const char *regex_check_facts(const struct regex *re, struct str_view text, bool yes,
                                     const size_t *spans)
{
    const struct regex_literals *l = regex_literals(re);
    if (!shape_agrees(re, text, yes))
        return "shape";
    if (!yes)
        return NULL;
    struct str_view match = sv_sub(text, spans[0], spans[1] - spans[0]);
    if (!clauses_hold(re, match))
        return "clauses";
    if (match.len < l->min_len)
        return "min_len";
    if (l->anchored_start && spans[0] != 0)
        return "anchored_start";
    if (l->anchored_end && spans[1] != text.len)
        return "anchored_end";
    if (!l->may_match_newline && sv_find_byte(match, '\n') < match.len)
        return "may_match_newline";
    return NULL;
}
