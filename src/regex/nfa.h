/* SPDX-License-Identifier: Apache-2.0 */
/* nfa.h - leftmost-first matching with captures, in time linear in text times program.
 * Two ways with equal answers: backtracking that never tries the same state twice (short texts),
 * and threads in lockstep (Pike).
 * Threads: an nfa is one thread's working memory; it serves any number of programs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str_view.h"
#include "regex/prog.h"

struct nfa_threads {
    uint32_t *dense, *sparse; /* the set of instructions, in order of preference */
    size_t n;
    size_t *slots; /* n_slots per thread, by place in dense */
};

struct nfa_job {
    uint32_t pc; /* or, with bit 31, a slot to restore */
    size_t at;   /* position, or the slot's old value */
};

struct nfa {
    struct nfa_threads now, next;
    size_t cap_insts, cap_slots;
    struct nfa_job *jobs;
    size_t n_jobs, cap_jobs;
    uint64_t *visited;
    size_t cap_visited;
    size_t *best, *path;
    size_t cap_best;
    bool (*stop)(void *ctx); /* may be NULL; asked every NFA_STEPS_PER_ASK instructions */
    void *stop_ctx;
    uint64_t steps; /* since it was asked */
    bool stopped;   /* it said yes: every search ends at once without a match */
};
enum { NFA_STEPS_PER_ASK = 1 << 20 };

void nfa_deinit(struct nfa *nfa);
size_t nfa_mem_bytes(const struct nfa *nfa);
/* Counts the work; true when the search is to end. */
bool nfa_must_stop(struct nfa *nfa, size_t steps);
/* As regex_captures.  n_slots = 0 asks for the verdict only. */
bool nfa_search(struct nfa *nfa, const struct prog *p, struct str_view text, size_t from,
                size_t *slots, size_t n_slots);
/* The two ways, for tests. */
bool nfa_search_pike(struct nfa *nfa, const struct prog *p, struct str_view text, size_t from,
                     size_t *slots, size_t n_slots);
bool nfa_search_backtrack(struct nfa *nfa, const struct prog *p, struct str_view text, size_t from,
                          size_t *slots, size_t n_slots);
