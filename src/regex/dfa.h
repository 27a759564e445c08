/* SPDX-License-Identifier: Apache-2.0 */
/* dfa.h - yes or no at a table look-up per byte: a DFA whose states are made when first met.
 * The table is bounded; full, it starts over, and when that happens too often the caller is told to
 * use the NFA.  A state knows what stands before it; assertions about what comes next are resolved
 * by the rune that follows (or the end), so a match shows one step late.
 * Threads: a dfa belongs to one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str_view.h"
#include "regex/prog.h"
#include "regex/regex.h"

struct dfa;

enum dfa_verdict { DFA_NO, DFA_YES, DFA_GAVE_UP };

struct dfa *dfa_new(const struct prog *p); /* p must outlive every call, not the dfa */
void dfa_free(struct dfa *d);
size_t dfa_used_bytes(const struct dfa *d);

/* How often texts matched lately, as the caller tells: captures ask for a verdict first only where
 * it tends to be no. */
void dfa_note_match(struct dfa *d, bool matched);
bool dfa_tends_to_match(const struct dfa *d);

/* Whether the program matches in text. */
enum dfa_verdict dfa_search(struct dfa *d, const struct prog *p, struct str_view text);
/* Lines as for regex_match_lines.  A bit of `wanted` is cleared when its line is decided, and set
 * in `found` when it matches; a few lines, or all after it gave up, are left undecided. */
void dfa_match_lines(struct dfa *d, const struct prog *p, const struct regex_lines *lines,
                     uint64_t *wanted, uint64_t *found);
