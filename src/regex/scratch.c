/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/scratch.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "regex/regex.h"

enum { N_BUCKETS = 64, MAX_DFA_BYTES = 8 << 20, SWEEP_EVERY = 256 };

struct entry {
    struct entry *next;
    uint64_t id;
    uint64_t used_at;
    struct dfa *dfa;
};

struct regex_scratch {
    struct entry *last; /* the one used last: most calls come in runs */
    struct entry *buckets[N_BUCKETS];
    uint64_t clock;
    struct nfa nfa;
};

struct regex_scratch *regex_scratch_new(void)
{
    return mem_zalloc(1, sizeof(struct regex_scratch));
}

static void free_entry(struct entry *e)
{
    dfa_free(e->dfa);
    free(e);
}

void regex_scratch_free(struct regex_scratch *s)
{
    if (!s)
        return;
    for (int b = 0; b < N_BUCKETS; b++) {
        for (struct entry *e = s->buckets[b], *next; e; e = next) {
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
        for (const struct entry *e = s->buckets[b]; e; e = e->next)
            total += dfa_used_bytes(e->dfa);
    return total;
}

size_t regex_scratch_mem_bytes(const struct regex_scratch *s)
{
    return sizeof *s + total_bytes(s) + nfa_mem_bytes(&s->nfa);
}

static void drop_oldest(struct regex_scratch *s)
{
    struct entry **oldest = NULL;
    for (int b = 0; b < N_BUCKETS; b++)
        for (struct entry **at = &s->buckets[b]; *at; at = &(*at)->next)
            if (!oldest || (*at)->used_at < (*oldest)->used_at)
                oldest = at;
    if (!oldest)
        return;
    struct entry *e = *oldest;
    *oldest = e->next;
    if (s->last == e)
        s->last = NULL;
    free_entry(e);
}

struct dfa *scratch_dfa(struct regex_scratch *s, uint64_t id, const struct prog *p)
{
    if (s->last && s->last->id == id)
        return s->last->dfa;
    s->clock++;
    struct entry **bucket = &s->buckets[id % N_BUCKETS], *e = *bucket;
    while (e && e->id != id)
        e = e->next;
    if (!e) {
        while (total_bytes(s) > MAX_DFA_BYTES)
            drop_oldest(s);
        e = mem_zalloc(1, sizeof *e);
        *e = (struct entry){*bucket, id, 0, dfa_new(p)};
        *bucket = e;
    } else if (s->clock % SWEEP_EVERY == 0) { /* they grow after they were made */
        e->used_at = s->clock;
        while (total_bytes(s) > 2 * MAX_DFA_BYTES && s->last != e)
            drop_oldest(s);
    }
    e->used_at = s->clock;
    return (s->last = e)->dfa;
}
