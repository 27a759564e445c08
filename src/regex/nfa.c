/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/nfa.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/bytes.h"

enum { MAX_VISITED_WORDS = 1 << 15, IS_RESTORE = 1 << 30 };

void nfa_deinit(struct nfa *nfa)
{
    struct nfa_threads *lists[] = {&nfa->now, &nfa->next};
    for (int i = 0; i < 2; i++) {
        free(lists[i]->dense);
        free(lists[i]->sparse);
        free(lists[i]->slots);
    }
    free(nfa->jobs);
    free(nfa->visited);
    free(nfa->best);
    free(nfa->path);
    *nfa = (struct nfa){0};
}

size_t nfa_mem_bytes(const struct nfa *nfa)
{
    return 2 * nfa->cap_insts * 2 * sizeof(uint32_t) + 2 * nfa->cap_slots * sizeof(size_t) +
           nfa->cap_jobs * sizeof *nfa->jobs + nfa->cap_visited * sizeof *nfa->visited +
           2 * nfa->cap_best * sizeof *nfa->best;
}

static bool is_word_byte(struct str_view text, size_t at)
{
    return at < text.len && ascii_is_word(text.p[at]);
}

static bool holds(unsigned wanted, struct str_view text, size_t at)
{
    unsigned have = 0;
    if (at == 0)
        have |= AT_BEGIN_TEXT | AT_BEGIN_LINE;
    else if (text.p[at - 1] == '\n')
        have |= AT_BEGIN_LINE;
    if (at == text.len)
        have |= AT_END_TEXT | AT_END_LINE;
    else if (text.p[at] == '\n')
        have |= AT_END_LINE;
    bool before = at > 0 && is_word_byte(text, at - 1);
    have |= before != is_word_byte(text, at) ? AT_WORD_EDGE : AT_NO_WORD_EDGE;
    return (wanted & ~have) == 0;
}

static inline void push_job(struct nfa *nfa, uint32_t pc, size_t at)
{
    if (nfa->n_jobs == nfa->cap_jobs)
        nfa->jobs = mem_grow(nfa->jobs, &nfa->cap_jobs, nfa->n_jobs + 1, sizeof *nfa->jobs);
    nfa->jobs[nfa->n_jobs++] = (struct nfa_job){pc, at};
}

/* ---- backtracking ---- */

struct walk {
    struct nfa *nfa;
    const struct prog *p;
    struct str_view text;
    size_t from;      /* visited bits count from here */
    size_t last;      /* the last place where one was set */
    size_t run_words; /* of the bits of one run; they stand before the others */
    size_t *slots;
    size_t n_slots;
};

/* Marks (pc, at); false when it was marked before. */
static inline bool first_visit(struct walk *w, uint32_t pc, size_t at)
{
    uint32_t join = w->p->join[pc];
    if (join == NO_JOIN)
        return true;
    size_t bit = (at - w->from) * w->p->n_joins + join;
    uint64_t mask = (uint64_t)1 << bit % 64;
    uint64_t *word = &w->nfa->visited[w->p->n_runs * w->run_words + bit / 64];
    if (*word & mask)
        return false;
    *word |= mask;
    if (at > w->last)
        w->last = at;
    return true;
}

/* Where the set of the run ends at or after `at`, but not beyond `limit`. */
static size_t run_end(const struct walk *w, const struct prog_run *run, size_t at, size_t limit)
{
    const char *text = w->text.p;
    for (;;) {
        while (at < limit && run->takes[(unsigned char)text[at]] == 1)
            at++;
        if (at >= limit || run->takes[(unsigned char)text[at]] == 0)
            return at;
        unsigned width;
        uint32_t class = prog_class_at(w->p, text + at, w->text.len - at, &width);
        if (!prog_takes(w->p, w->p->insts[run->body], class))
            return at;
        at += width;
    }
}

static uint64_t *bits_of_run(const struct walk *w, unsigned n)
{
    return w->nfa->visited + n * w->run_words;
}

static void mark_places(struct walk *w, uint64_t *bits, size_t from, size_t to)
{
    for (size_t word = from / 64; word <= to / 64; word++) {
        uint64_t mask = ~(uint64_t)0;
        if (word == from / 64)
            mask &= ~(uint64_t)0 << from % 64;
        if (word == to / 64)
            mask &= ~(uint64_t)0 >> (63 - to % 64);
        bits[word] |= mask;
    }
    if (w->from + to > w->last)
        w->last = w->from + to;
}

/* Moves *at to the end of the run and marks what it passed.  False when it comes to a place that a
 * path has passed before (*at is there): that one went the same way.  Every byte is passed once. */
static bool pass_run(struct walk *w, unsigned n, size_t *at)
{
    const struct prog_run *run = &w->p->runs[n];
    uint64_t *bits = bits_of_run(w, n);
    size_t here = *at - w->from, len = w->text.len - w->from;
    for (;;) {
        uint64_t seen = bits[here / 64] >> here % 64;
        size_t room = 64 - here % 64;
        *at = w->from + here;
        if (seen & 1)
            return false;
        size_t limit = here + (seen ? (size_t)__builtin_ctzll(seen) : room);
        size_t end = run_end(w, run, *at, w->from + (limit < len ? limit : len)) - w->from;
        /* marked up to the limit; a rune may end later */
        mark_places(w, bits, here, end < limit ? end : limit - 1);
        here = end;
        if (end < limit || end >= len) {
            *at = w->from + end;
            return true;
        }
    }
}

/* Leaves a job for each place of [from, to) where the loop may be left; the last one comes first.
 */
static void leave_exits(struct walk *w, const struct prog_run *run, size_t from, size_t to)
{
    const char *text = w->text.p;
    for (size_t at = from; at < to; at++) {
        if (run->only_lead >= 0) {
            const char *hit = memchr(text + at, run->only_lead, to - at);
            if (!hit)
                return;
            at = (size_t)(hit - text);
        }
        unsigned char c = (unsigned char)text[at];
        if (run->leads[c])
            push_job(w->nfa, run->exit, at);
        uint32_t rune;
        if (c >= 0x80) /* inside a rune nothing begins */
            at += rune_decode(text + at, w->text.len - at, &rune) - 1;
    }
}

/* All ways out of a greedy loop become jobs. */
static void take_greedy(struct walk *w, unsigned n, size_t at)
{
    size_t end = at;
    bool ended = pass_run(w, n, &end);
    /* behind the last byte nothing can follow, and a place seen before was tried */
    leave_exits(w, &w->p->runs[n], at, end + (ended && end < w->text.len));
}

/* Moves *at to the nearest way out and leaves a job for those further on; false: there is none. */
static bool take_lazy(struct walk *w, unsigned n, uint32_t pc, size_t *at)
{
    const struct prog_run *run = &w->p->runs[n];
    uint64_t *bits = bits_of_run(w, n);
    size_t here = *at;
    for (unsigned width; here < w->text.len; here += width) {
        size_t place = here - w->from;
        if (bits[place / 64] >> place % 64 & 1)
            return false;
        unsigned char c = (unsigned char)w->text.p[here];
        bool takes = run->takes[c] == 1;
        width = 1;
        if (run->takes[c] == LOOK)
            takes = prog_takes(w->p, w->p->insts[run->body],
                               prog_class_at(w->p, w->text.p + here, w->text.len - here, &width));
        mark_places(w, bits, place, place);
        if (run->leads[c]) {
            if (takes)
                push_job(w->nfa, pc, here + width);
            *at = here;
            return true;
        }
        if (!takes)
            return false;
    }
    return false;
}

/* Follows one path until it matches or ends, leaving the other branches as jobs. */
static bool follow(struct walk *w, uint32_t pc, size_t at)
{
    const struct prog *p = w->p;
    while (first_visit(w, pc, at)) {
        struct inst in = p->insts[pc];
        unsigned width;
        switch ((enum inst_op)in.op) {
        case INST_MATCH:
            return true;
        case INST_CLASS:
        case INST_SET:
            if (at == w->text.len)
                return false;
            if (!prog_takes(p, in, prog_class_at(p, w->text.p + at, w->text.len - at, &width)))
                return false;
            at += width;
            break;
        case INST_ALT:
            if (p->run_of && p->run_of[pc]) {
                unsigned n = p->run_of[pc] - 1u;
                const struct prog_run *run = &p->runs[n];
                if (run->kind == RUN_GREEDY) {
                    take_greedy(w, n, at);
                    return false;
                }
                if (!(run->kind == RUN_LAZY ? take_lazy(w, n, pc, &at) : pass_run(w, n, &at)))
                    return false;
                pc = run->exit;
                continue;
            }
            push_job(w->nfa, in.arg, at);
            break;
        case INST_ASSERT:
            if (!holds(in.arg, w->text, at))
                return false;
            break;
        case INST_SAVE:
            if (in.arg < w->n_slots) {
                push_job(w->nfa, in.arg | IS_RESTORE, w->slots[in.arg]);
                w->slots[in.arg] = at;
            }
            break;
        }
        pc = in.next;
    }
    return false;
}

static bool backtrack_at(struct walk *w, size_t at)
{
    struct nfa *nfa = w->nfa;
    nfa->n_jobs = 0;
    push_job(nfa, w->p->start, at);
    while (nfa->n_jobs > 0) {
        struct nfa_job job = nfa->jobs[--nfa->n_jobs];
        if (job.pc & IS_RESTORE)
            w->slots[job.pc & ~(uint32_t)IS_RESTORE] = job.at;
        else if (follow(w, job.pc, job.at))
            return true;
    }
    return false;
}

static void no_slots(size_t *slots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slots[i] = SIZE_MAX;
}

/* Of one run: a bit per place, the end included. */
static size_t run_words(struct str_view text, size_t from)
{
    return (text.len - from) / 64 + 1;
}

static size_t visited_words(const struct prog *p, struct str_view text, size_t from)
{
    return p->n_runs * run_words(text, from) + (text.len - from + 1) * p->n_joins / 64 + 1;
}

/* Visited bits are all clear between searches, so that many short ones in a long text stay cheap.
 */
static void clear_visited(const struct walk *w)
{
    size_t places = w->last - w->from + 1, n_runs = w->p->n_runs;
    for (size_t n = 0; n < n_runs; n++)
        memset(w->nfa->visited + n * w->run_words, 0, (places / 64 + 1) * sizeof(uint64_t));
    size_t words = places * w->p->n_joins / 64 + 1;
    memset(w->nfa->visited + n_runs * w->run_words, 0, words * sizeof(uint64_t));
}

/* The next place at or after `at` where a match may begin, or SIZE_MAX. */
static inline size_t next_start(const struct walk *w, size_t at)
{
    const struct prog *p = w->p;
    if (!p->has_first)
        return at;
    if (p->only_first >= 0) {
        const char *hit =
            at < w->text.len ? memchr(w->text.p + at, p->only_first, w->text.len - at) : NULL;
        return hit ? (size_t)(hit - w->text.p) : SIZE_MAX;
    }
    while (at < w->text.len && !p->first_byte[(unsigned char)w->text.p[at]])
        at++;
    return at < w->text.len ? at : SIZE_MAX;
}

static bool backtrack_from(struct walk *w, size_t from)
{
    if (w->p->anchored_start)
        return from == 0 && backtrack_at(w, 0);
    for (size_t at = next_start(w, from); at <= w->text.len; at = next_start(w, at)) {
        if (backtrack_at(w, at))
            return true;
        uint32_t rune;
        unsigned width = rune_decode(w->text.p + at, w->text.len - at, &rune);
        at += width ? width : 1;
    }
    return false;
}

bool nfa_search_backtrack(struct nfa *nfa, const struct prog *p, struct str_view text, size_t from,
                          size_t *slots, size_t n_slots)
{
    size_t words = visited_words(p, text, from), had = nfa->cap_visited;
    nfa->visited = mem_grow(nfa->visited, &nfa->cap_visited, words, sizeof *nfa->visited);
    if (nfa->cap_visited > had)
        memset(nfa->visited + had, 0, (nfa->cap_visited - had) * sizeof *nfa->visited);
    struct walk w = {.nfa = nfa,
                     .p = p,
                     .text = text,
                     .from = from,
                     .last = from,
                     .run_words = run_words(text, from),
                     .slots = slots,
                     .n_slots = n_slots};
    no_slots(slots, n_slots);
    bool matched = backtrack_from(&w, from);
    clear_visited(&w);
    return matched;
}

/* ---- threads in lockstep ---- */

static void reserve_threads(struct nfa *nfa, const struct prog *p, size_t n_slots)
{
    struct nfa_threads *lists[] = {&nfa->now, &nfa->next};
    bool grow_insts = nfa->cap_insts < p->n_insts;
    bool grow_slots = nfa->cap_slots < p->n_insts * n_slots;
    for (int i = 0; i < 2; i++) {
        if (grow_insts) {
            lists[i]->dense = mem_realloc(lists[i]->dense, p->n_insts * sizeof(uint32_t));
            free(lists[i]->sparse);
            lists[i]->sparse = mem_zalloc(p->n_insts, sizeof(uint32_t));
        }
        if (grow_slots)
            lists[i]->slots = mem_realloc(lists[i]->slots, p->n_insts * n_slots * sizeof(size_t));
        lists[i]->n = 0;
    }
    if (grow_insts)
        nfa->cap_insts = p->n_insts;
    if (grow_slots)
        nfa->cap_slots = p->n_insts * n_slots;
    if (nfa->cap_best < n_slots) {
        nfa->best = mem_realloc(nfa->best, n_slots * sizeof(size_t));
        nfa->path = mem_realloc(nfa->path, n_slots * sizeof(size_t));
        nfa->cap_best = n_slots;
    }
}

static bool has_thread(const struct nfa_threads *t, uint32_t pc)
{
    return t->sparse[pc] < t->n && t->dense[t->sparse[pc]] == pc;
}

/* Adds pc and all that it reaches without reading, best first; nfa->path holds the slots. */
static void add_thread(struct walk *w, struct nfa_threads *t, uint32_t start, size_t at)
{
    struct nfa *nfa = w->nfa;
    size_t base = nfa->n_jobs;
    push_job(nfa, start, at);
    while (nfa->n_jobs > base) {
        struct nfa_job job = nfa->jobs[--nfa->n_jobs];
        if (job.pc & IS_RESTORE) {
            nfa->path[job.pc & ~(uint32_t)IS_RESTORE] = job.at;
            continue;
        }
        uint32_t pc = job.pc;
        while (!has_thread(t, pc)) {
            struct inst in = w->p->insts[pc];
            t->sparse[pc] = (uint32_t)t->n;
            t->dense[t->n] = pc;
            if (in.op == INST_ALT) {
                push_job(nfa, in.arg, at);
            } else if (in.op == INST_SAVE && in.arg < w->n_slots) {
                push_job(nfa, in.arg | IS_RESTORE, nfa->path[in.arg]);
                nfa->path[in.arg] = at;
            } else if (in.op == INST_ASSERT && !holds(in.arg, w->text, at)) {
                t->n++;
                break;
            } else if (in.op == INST_CLASS || in.op == INST_SET || in.op == INST_MATCH) {
                if (w->n_slots > 0)
                    memcpy(t->slots + t->n * w->n_slots, nfa->path, w->n_slots * sizeof(size_t));
                t->n++;
                break;
            }
            t->n++;
            pc = in.next;
        }
    }
}

bool nfa_must_stop(struct nfa *nfa, size_t steps)
{
    nfa->steps += steps;
    if (nfa->steps >= NFA_STEPS_PER_ASK) {
        nfa->steps = 0;
        nfa->stopped |= nfa->stop && nfa->stop(nfa->stop_ctx);
    }
    return nfa->stopped;
}

/* Moves the threads of `now` over the rune at `at`.  True when one of them has matched: its slots
 * are in nfa->best, and those that it is preferred to are gone. */
static bool step_threads(struct walk *w, size_t at, unsigned *ret_width)
{
    struct nfa *nfa = w->nfa;
    const struct prog *p = w->p;
    bool at_end = at == w->text.len;
    *ret_width = 1;
    uint32_t class = at_end ? 0 : prog_class_at(p, w->text.p + at, w->text.len - at, ret_width);
    for (size_t i = 0; i < nfa->now.n; i++) {
        struct inst in = p->insts[nfa->now.dense[i]];
        const size_t *slots = nfa->now.slots + i * w->n_slots;
        if (in.op == INST_MATCH) {
            if (w->n_slots > 0)
                memcpy(nfa->best, slots, w->n_slots * sizeof(size_t));
            return true;
        }
        if ((in.op != INST_CLASS && in.op != INST_SET) || at_end || !prog_takes(p, in, class))
            continue;
        if (w->n_slots > 0)
            memcpy(nfa->path, slots, w->n_slots * sizeof(size_t));
        add_thread(w, &nfa->next, in.next, at + *ret_width);
    }
    return false;
}

bool nfa_search_pike(struct nfa *nfa, const struct prog *p, struct str_view text, size_t from,
                     size_t *slots, size_t n_slots)
{
    reserve_threads(nfa, p, n_slots);
    struct walk w = {
        .nfa = nfa, .p = p, .text = text, .from = from, .slots = slots, .n_slots = n_slots};
    bool matched = false;
    nfa->n_jobs = 0;
    for (size_t at = from; at <= text.len;) {
        if (!matched && !(p->anchored_start && at > 0)) {
            no_slots(nfa->path, n_slots);
            add_thread(&w, &nfa->now, p->start, at);
        }
        if (nfa->now.n == 0 && (matched || p->anchored_start))
            break;
        if (nfa_must_stop(nfa, nfa->now.n + 1)) {
            matched = false;
            break;
        }
        unsigned width;
        nfa->next.n = 0;
        matched |= step_threads(&w, at, &width);
        if (matched && n_slots == 0)
            return true;
        struct nfa_threads swap = nfa->now;
        nfa->now = nfa->next;
        nfa->next = swap;
        at += width;
    }
    if (matched && n_slots > 0)
        memcpy(slots, nfa->best, n_slots * sizeof(size_t));
    else
        no_slots(slots, n_slots);
    return matched;
}

bool nfa_search(struct nfa *nfa, const struct prog *p, struct str_view text, size_t from,
                size_t *slots, size_t n_slots)
{
    if (n_slots > 0 && visited_words(p, text, from) <= MAX_VISITED_WORDS && !nfa_must_stop(nfa, 16))
        return nfa_search_backtrack(nfa, p, text, from, slots, n_slots);
    return nfa_search_pike(nfa, p, text, from, slots, n_slots);
}
