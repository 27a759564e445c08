/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/scratch.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "regex/regex.h"

enum { N_BUCKETS = 64, MAX_DFA_BYTES = 8 << 20, SWEEP_EVERY = 256, STEPS_PER_DFA = 1024 };

struct kept_dfa {
    struct kept_dfa *next;
    uint64_t id;
    uint64_t used_at;
    struct dfa *dfa;
};

struct regex_scratch {
    struct kept_dfa *last; /* the one used last: most calls come in runs */
    struct kept_dfa *buckets[N_BUCKETS];
    size_t n_entries;
    size_t dfa_bytes; /* of all, as counted last and without growth since */
    uint64_t clock;
    struct nfa nfa;
};

struct regex_scratch *regex_scratch_new(void)
{
    return mem_zalloc(1, sizeof(struct regex_scratch));
}

static void free_entry(struct kept_dfa *e)
{
    dfa_free(e->dfa);
    free(e);
}

void regex_scratch_free(struct regex_scratch *s)
{
    if (!s)
        return;
    for (int b = 0; b < N_BUCKETS; b++) {
        for (struct kept_dfa *e = s->buckets[b], *next; e; e = next) {
            next = e->next;
            free_entry(e);
        }
    }
    nfa_deinit(&s->nfa);
    free(s);
}

void regex_scratch_set_stop(struct regex_scratch *s, regex_stop_fn *stop, void *ctx)
{
    s->nfa.stop = stop;
    s->nfa.stop_ctx = ctx;
    s->nfa.stopped = false;
}

bool regex_scratch_must_stop(struct regex_scratch *s, size_t steps)
{
    return nfa_must_stop(&s->nfa, steps);
}

struct nfa *scratch_nfa(struct regex_scratch *s)
{
    return &s->nfa;
}

static size_t total_bytes(const struct regex_scratch *s)
{
    size_t total = 0;
    for (int b = 0; b < N_BUCKETS; b++)
        for (const struct kept_dfa *e = s->buckets[b]; e; e = e->next)
            total += dfa_used_bytes(e->dfa);
    return total;
}

size_t regex_scratch_mem_bytes(const struct regex_scratch *s)
{
    return sizeof *s + total_bytes(s) + nfa_mem_bytes(&s->nfa);
}

/* Those that were not among the last n / 2 uses: at least half of them, so that a search for old
 * ones is paid for by the many regexes that made it necessary. */
static void drop_older_half(struct regex_scratch *s)
{
    uint64_t since = s->clock - s->n_entries / 2;
    for (int b = 0; b < N_BUCKETS; b++) {
        for (struct kept_dfa **at = &s->buckets[b]; *at;) {
            struct kept_dfa *e = *at;
            if (e->used_at >= since) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            s->n_entries--;
            if (s->last == e)
                s->last = NULL;
            free_entry(e);
        }
    }
}

/* One stays however big it is. */
static void make_room(struct regex_scratch *s, size_t max_bytes)
{
    while ((s->dfa_bytes = total_bytes(s)) > max_bytes && s->n_entries > 1)
        drop_older_half(s);
}

struct dfa *scratch_dfa(struct regex_scratch *s, uint64_t id, const struct prog *p)
{
    if (s->last && s->last->id == id)
        return s->last->dfa;
    s->clock++;
    struct kept_dfa **bucket = &s->buckets[id % N_BUCKETS], *e = *bucket;
    while (e && e->id != id)
        e = e->next;
    if (!e) {
        if (s->dfa_bytes > MAX_DFA_BYTES)
            make_room(s, MAX_DFA_BYTES);
        e = mem_zalloc(1, sizeof *e);
        *e = (struct kept_dfa){*bucket, id, 0, dfa_new(p)};
        *bucket = e;
        s->n_entries++;
        s->dfa_bytes += dfa_used_bytes(e->dfa);
        nfa_must_stop(&s->nfa, STEPS_PER_DFA);
    }
    e->used_at = s->clock;
    if (s->clock % SWEEP_EVERY == 0) /* they grow after they were made */
        make_room(s, 2 * MAX_DFA_BYTES);
    return (s->last = e)->dfa;
}
