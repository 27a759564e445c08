/* SPDX-License-Identifier: Apache-2.0 */
/* A sweep over all range ends: between two of them, the sets that hold a rune do not change.  The
 * collection of sets is summed up in 128 random bits (one number per set, added on entering and
 * subtracted on leaving), and intervals with equal sums are one class. */
#include "regex/classes.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "regex/prog.h"

struct edge {
    uint32_t rune;
    uint32_t set : 31, leaves : 1;
};

struct sum {
    uint64_t a, b;
};

struct sum_table {
    struct {
        struct sum sum;
        uint32_t class_1; /* + 1; 0: free */
    } * slots;
    size_t n_slots, n;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int by_rune(const void *a, const void *b)
{
    uint32_t x = ((const struct edge *)a)->rune, y = ((const struct edge *)b)->rune;
    return (x > y) - (x < y);
}

static uint32_t class_of_sum(struct sum_table *t, struct sum s)
{
    for (size_t at = s.a & (t->n_slots - 1);; at = (at + 1) & (t->n_slots - 1)) {
        if (t->slots[at].class_1 == 0) {
            t->slots[at].sum = s;
            t->slots[at].class_1 = (uint32_t)++t->n;
            return t->slots[at].class_1 - 1;
        }
        if (t->slots[at].sum.a == s.a && t->slots[at].sum.b == s.b)
            return t->slots[at].class_1 - 1;
    }
}

static size_t collect_edges(struct edge **ret, struct rune_set *const *sets, size_t n_sets)
{
    size_t n = 0;
    for (size_t i = 0; i < n_sets; i++)
        n += 2 * sets[i]->n;
    struct edge *edges = mem_alloc((n + 1) * sizeof *edges);
    n = 0;
    for (size_t i = 0; i < n_sets; i++) {
        for (uint32_t k = 0; k < sets[i]->n; k++) {
            uint32_t set = (uint32_t)i & 0x7fffffffu;
            edges[n++] = (struct edge){sets[i]->r[k].lo, set, 0};
            edges[n++] = (struct edge){sets[i]->r[k].hi + 1, set, 1};
        }
    }
    qsort(edges, n, sizeof *edges, by_rune);
    *ret = edges;
    return n;
}

/* Runes [lo, hi) are of `class`; called with ascending intervals. */
static void put_interval(struct set_classes *c, size_t *cap, uint32_t lo, uint32_t hi,
                         uint32_t class)
{
    for (; lo < hi && lo < 0x80; lo++)
        c->ascii[lo] = class;
    if (lo >= hi || (c->n_starts > 0 && c->starts[c->n_starts - 1].class == class))
        return;
    c->starts = mem_grow(c->starts, cap, c->n_starts + 1, sizeof *c->starts);
    c->starts[c->n_starts++] = (struct class_start){lo, class};
}

void set_classes_compute(struct set_classes *ret, struct rune_set *const *sets, size_t n_sets)
{
    struct edge *edges;
    size_t n = collect_edges(&edges, sets, n_sets);
    struct sum_table table = {.n_slots = 64};
    while (table.n_slots < 2 * (n + 2))
        table.n_slots *= 2;
    table.slots = mem_zalloc(table.n_slots, sizeof *table.slots);
    *ret = (struct set_classes){0};
    size_t cap = 0;
    struct sum sum = {0, 0};
    uint32_t lo = 0;
    for (size_t i = 0; i <= n; i++) {
        uint32_t rune = i < n ? edges[i].rune : RUNE_MAX + 1;
        if (rune > lo) {
            put_interval(ret, &cap, lo, rune, class_of_sum(&table, sum));
            lo = rune;
        }
        if (i == n)
            break;
        uint64_t a = mix(edges[i].set + 0x9e3779b97f4a7c15u), b = mix(a + 0x632be59bd9b4e019u);
        sum.a += edges[i].leaves ? -a : a;
        sum.b += edges[i].leaves ? -b : b;
    }
    ret->n_classes = (uint32_t)table.n;
    free(table.slots);
    free(edges);
}

void set_classes_deinit(struct set_classes *c)
{
    free(c->starts);
    *c = (struct set_classes){0};
}

void set_rows_init(struct set_rows *rows, size_t words, size_t n_sets)
{
    *rows = (struct set_rows){.words = words};
    rows->row_of_set = mem_zalloc(n_sets, sizeof *rows->row_of_set);
}

void set_rows_deinit(struct set_rows *rows)
{
    free(rows->bits);
    free(rows->row_of_set);
    *rows = (struct set_rows){0};
}

/* Calls for each class of the set; classes of ASCII come first, then interval by interval. */
static void mark_classes(uint64_t *row, const struct set_classes *c,
                         const struct class_start *starts, const struct rune_set *set)
{
    for (uint32_t i = 0; i < set->n; i++) {
        struct rune_range r = set->r[i];
        for (uint32_t rune = r.lo; rune <= r.hi && rune < 0x80; rune++)
            row[c->ascii[rune] / 64] |= (uint64_t)1 << c->ascii[rune] % 64;
        if (r.hi < 0x80)
            continue;
        uint32_t lo_rune = r.lo < 0x80 ? 0x80 : r.lo;
        size_t lo = 0, hi = c->n_starts;
        while (hi - lo > 1) {
            size_t mid = (lo + hi) / 2;
            if (starts[mid].rune <= lo_rune)
                lo = mid;
            else
                hi = mid;
        }
        for (; lo < c->n_starts && starts[lo].rune <= r.hi; lo++)
            row[starts[lo].class / 64] |= (uint64_t)1 << starts[lo].class % 64;
    }
}

uint32_t set_rows_get(struct set_rows *rows, const struct set_classes *classes,
                      const struct class_start *starts, const struct rune_set *set,
                      uint32_t *ret_only)
{
    enum { ONLY = 1u << 31 };
    uint32_t known = rows->row_of_set[set->id];
    *ret_only = UINT32_MAX;
    if (known & ONLY) {
        *ret_only = known & ~ONLY;
        return 0;
    }
    if (known)
        return known - 1;
    uint64_t *words =
        mem_grow(rows->bits, &rows->cap_words, (rows->n + 1) * rows->words, sizeof *words);
    rows->bits = words;
    uint64_t *row = words + rows->n * rows->words;
    memset(row, 0, rows->words * sizeof *row);
    mark_classes(row, classes, starts, set);
    size_t n = 0, class = 0;
    for (size_t w = 0; w < rows->words; w++) {
        n += (size_t)__builtin_popcountll(row[w]);
        if (row[w])
            class = w * 64 + (size_t)__builtin_ctzll(row[w]);
    }
    if (n == 1) {
        *ret_only = (uint32_t) class;
        rows->row_of_set[set->id] = (uint32_t) class | ONLY;
        return 0;
    }
    rows->row_of_set[set->id] = (uint32_t)++rows->n;
    return (uint32_t)rows->n - 1;
}
