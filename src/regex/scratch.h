/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h - one thread's working memory: the DFAs of the regexes used last, and an NFA. */
#pragma once
#include <stdint.h>

#include "regex/dfa.h"
#include "regex/nfa.h"

struct regex_scratch;

/* The DFA of the program with this id, made when missing; those unused longest leave when all of
 * them together grow too big. */
struct dfa *scratch_dfa(struct regex_scratch *s, uint64_t id, const struct prog *p);
struct nfa *scratch_nfa(struct regex_scratch *s);
