/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/collapse.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/bytes.h"

enum { COMPARE_ALL_UP_TO = 8 };

static bool same_text(const struct entry *a, const struct entry *b)
{
    return sv_eq(a->line, b->line) && sv_eq(a->sm, b->sm);
}

static uint64_t text_hash(const struct entry *e, uint64_t seed)
{
    uint64_t h = XXH3_64bits_withSeed(e->line.p, e->line.len, seed);
    return e->sm.len ? h ^ XXH3_64bits_withSeed(e->sm.p, e->sm.len, h) : h;
}

/* Entries of one time, few of them: each against all kept.  Returns how many stay. */
static size_t collapse_few(struct entry *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < kept && !same_text(&v[k], &v[i]))
            k++;
        if (k == kept)
            v[kept++] = v[i];
    }
    return kept;
}

static size_t collapse_many(struct entry *v, size_t n)
{
    struct slot {
        uint64_t hash;
        size_t kept_plus_1;
    } * slots;
    size_t n_slots = 16;
    while (n_slots < 2 * n)
        n_slots *= 2;
    slots = mem_zalloc(n_slots, sizeof *slots);
    uint64_t seed = (uintptr_t)slots; /* whoever sends lines must not know what collides */
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = text_hash(&v[i], seed);
        size_t at = hash & (n_slots - 1);
        bool repeated = false;
        for (; slots[at].kept_plus_1 && !repeated; at = (at + 1) & (n_slots - 1))
            repeated = slots[at].hash == hash && same_text(&v[slots[at].kept_plus_1 - 1], &v[i]);
        if (repeated)
            continue;
        v[kept++] = v[i];
        slots[at] = (struct slot){hash, kept};
    }
    free(slots);
    return kept;
}

size_t entries_collapse(struct entry *v, size_t n)
{
    size_t kept = 0;
    for (size_t from = 0, end; from < n; from = end) {
        for (end = from + 1; end < n && v[end].ts_ns == v[from].ts_ns;)
            end++;
        size_t group = end - from;
        if (kept != from)
            memmove(v + kept, v + from, group * sizeof *v);
        if (group > 1)
            group = group <= COMPARE_ALL_UP_TO ? collapse_few(v + kept, group)
                                               : collapse_many(v + kept, group);
        kept += group;
    }
    return kept;
}

/* Runs that are in order already are merged bottom-up: late entries are few, so passes are few. */
static void merge(const struct entry *a, size_t n_a, const struct entry *b, size_t n_b,
                  struct entry *to)
{
    while (n_a && n_b) {
        if (b->ts_ns < a->ts_ns) {
            *to++ = *b++;
            n_b--;
        } else {
            *to++ = *a++;
            n_a--;
        }
    }
    memcpy(to, n_a ? a : b, (n_a ? n_a : n_b) * sizeof *to);
}

static size_t run_end(const struct entry *v, size_t from, size_t n)
{
    size_t end = from + 1;
    while (end < n && v[end].ts_ns >= v[end - 1].ts_ns)
        end++;
    return end;
}

static void sort_by_time(struct entry *v, size_t n)
{
    if (n < 2 || run_end(v, 0, n) == n)
        return;
    struct entry *spare = mem_alloc(n * sizeof *spare), *from = v, *to = spare;
    for (bool sorted = false; !sorted;) {
        size_t at = 0, passes = 0;
        while (at < n) {
            size_t mid = run_end(from, at, n), end = mid < n ? run_end(from, mid, n) : n;
            merge(from + at, mid - at, from + mid, end - mid, to + at);
            at = end;
            passes++;
        }
        sorted = passes == 1;
        struct entry *t = from;
        from = to;
        to = t;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
    free(spare);
}

size_t entries_sort_collapse(struct entry *v, size_t n)
{
    sort_by_time(v, n);
    return entries_collapse(v, n);
}
