/* SPDX-License-Identifier: Apache-2.0 */
/* facts.h - what a part of a tree matches, as far as byte strings can say it. */
#pragma once
#include "base/arena.h"
#include "regex/literal.h"
#include "regex/syntax.h"

enum { FACTS_MAX_CLAUSES = 16, FACTS_MAX_EXACT = 4096 };

/* Alternatives; one may be the empty string while a set is being built. */
struct literal_set {
    const struct regex_literal *v;
    size_t n;
};

struct facts {
    bool is_exact; /* matches exactly the strings of `exact`, where its assertions hold */
    struct literal_set exact;
    bool has_assertions;
    struct literal_set clauses[FACTS_MAX_CLAUSES]; /* none holds the empty string; best first */
    size_t n_clauses;
};

struct facts facts_of(struct arena *arena, const struct node *n);
/* Of the children from `from` up to but without `to` (NULL: to the last). */
struct facts facts_of_run(struct arena *arena, const struct node *from, const struct node *to);
