/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/charclass.h"

#include <stdlib.h>

#include "base/bytes.h"

enum { TIDY_SLACK = 4096 };

void set_builder_deinit(struct set_builder *b)
{
    free(b->r);
    *b = (struct set_builder){0};
}

static int by_lo(const void *a, const void *b)
{
    const struct rune_range *x = a, *y = b;
    if (x->lo != y->lo)
        return x->lo < y->lo ? -1 : 1;
    return (x->hi > y->hi) - (x->hi < y->hi);
}

void set_builder_tidy(struct set_builder *b)
{
    bool sorted = true;
    for (size_t i = 1; i < b->n && sorted; i++)
        sorted = b->r[i - 1].lo <= b->r[i].lo;
    if (!sorted)
        qsort(b->r, b->n, sizeof *b->r, by_lo);
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct rune_range next = b->r[i];
        if (n > 0 && next.lo <= b->r[n - 1].hi + 1) {
            if (next.hi > b->r[n - 1].hi)
                b->r[n - 1].hi = next.hi;
        } else {
            b->r[n++] = next;
        }
    }
    b->n = b->clean_n = n;
}

void set_builder_add(struct set_builder *b, uint32_t lo, uint32_t hi)
{
    if (b->n > 0) { /* runs of neighbours are common: `a-z` letter by letter */
        struct rune_range *last = &b->r[b->n - 1];
        if (lo >= last->lo && lo <= last->hi + 1) {
            if (hi > last->hi)
                last->hi = hi;
            return;
        }
    }
    if (b->n > 2 * b->clean_n + TIDY_SLACK)
        set_builder_tidy(b);
    b->r = mem_grow(b->r, &b->cap, b->n + 1, sizeof *b->r);
    b->r[b->n++] = (struct rune_range){lo, hi};
}

void set_builder_add_fold(struct set_builder *b, uint32_t lo, uint32_t hi)
{
    set_builder_add(b, lo, hi);
    for (size_t i = unicode_fold_from(lo); i < n_unicode_folds && unicode_folds[i].rune <= hi; i++)
        for (uint32_t r = unicode_folds[i].next; r != unicode_folds[i].rune;
             r = unicode_fold_next(r))
            if (r < lo || r > hi)
                set_builder_add(b, r, r);
}

void set_builder_add_ranges(struct set_builder *b, const struct rune_range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        set_builder_add(b, r[i].lo, r[i].hi);
}

void set_builder_add_others(struct set_builder *b, const struct rune_range *r, size_t n)
{
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (r[i].lo > next)
            set_builder_add(b, next, r[i].lo - 1);
        next = r[i].hi + 1;
    }
    if (next <= RUNE_MAX)
        set_builder_add(b, next, RUNE_MAX);
}

void set_pool_init(struct set_pool *pool, struct arena *arena)
{
    *pool = (struct set_pool){.arena = arena};
}

void set_pool_deinit(struct set_pool *pool)
{
    free(pool->slots);
    free(pool->by_id);
    free(pool->tables[0]);
    free(pool->tables[1]);
    set_builder_deinit(&pool->spare);
    *pool = (struct set_pool){0};
}

static size_t hash_ranges(const struct rune_range *r, size_t n)
{
    uint64_t h = n * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ ((uint64_t)r[i].lo << 32 | r[i].hi)) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return (size_t)h;
}

static struct rune_set **find_slot(const struct set_pool *pool, const struct rune_range *r,
                                   size_t n)
{
    size_t mask = pool->n_slots - 1;
    for (size_t at = hash_ranges(r, n) & mask;; at = (at + 1) & mask) {
        struct rune_set *set = pool->slots[at];
        if (!set || (set->n == n && (n == 0 || memcmp(set->r, r, n * sizeof *r) == 0)))
            return &pool->slots[at];
    }
}

static void grow_slots(struct set_pool *pool)
{
    if (pool->n_sets * 2 < pool->n_slots)
        return;
    free(pool->slots);
    pool->n_slots = pool->n_slots ? pool->n_slots * 2 : 64;
    pool->slots = mem_zalloc(pool->n_slots, sizeof *pool->slots);
    for (size_t i = 0; i < pool->n_sets; i++) {
        struct rune_set *set = pool->by_id[i];
        *find_slot(pool, set->r, set->n) = set;
    }
}

static const struct rune_set *intern_tidy(struct set_pool *pool, const struct set_builder *b)
{
    grow_slots(pool);
    pool->work += b->n;
    struct rune_set **slot = find_slot(pool, b->r, b->n);
    if (*slot)
        return *slot;
    struct rune_set *set = ARENA_NEW(pool->arena, struct rune_set);
    struct rune_range *copy = arena_alloc(pool->arena, b->n * sizeof *copy);
    if (b->n)
        memcpy(copy, b->r, b->n * sizeof *copy);
    *set = (struct rune_set){copy, (uint32_t)b->n, (uint32_t)pool->n_sets};
    pool->by_id = mem_grow(pool->by_id, &pool->cap_sets, pool->n_sets + 1, sizeof *pool->by_id);
    pool->by_id[pool->n_sets++] = set;
    return *slot = set;
}

const struct rune_set *set_pool_intern(struct set_pool *pool, struct set_builder *b, bool negated)
{
    set_builder_tidy(b);
    if (!negated)
        return intern_tidy(pool, b);
    struct set_builder others = {0};
    set_builder_add_others(&others, b->r, b->n);
    const struct rune_set *set = intern_tidy(pool, &others);
    set_builder_deinit(&others);
    return set;
}

const struct rune_set *set_pool_table(struct set_pool *pool, const struct unicode_table *table,
                                      bool fold)
{
    const struct rune_set ***cache = &pool->tables[fold];
    if (!*cache)
        *cache = mem_zalloc(n_unicode_tables, sizeof **cache);
    const struct rune_set **at = &(*cache)[table - unicode_tables];
    if (*at)
        return *at;
    struct set_builder *b = &pool->spare;
    b->n = b->clean_n = 0;
    for (size_t i = 0; i < table->n; i++) {
        if (fold)
            set_builder_add_fold(b, table->ranges[i].lo, table->ranges[i].hi);
        else
            set_builder_add(b, table->ranges[i].lo, table->ranges[i].hi);
    }
    return *at = set_pool_intern(pool, b, false);
}

bool rune_set_has(const struct rune_set *set, uint32_t rune)
{
    size_t lo = 0, hi = set->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (rune > set->r[mid].hi)
            lo = mid + 1;
        else if (rune < set->r[mid].lo)
            hi = mid;
        else
            return true;
    }
    return false;
}

static const struct rune_range digits[] = {{'0', '9'}};
static const struct rune_range perl_space[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
static const struct rune_range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct rune_range alnum[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}};
static const struct rune_range alpha[] = {{'A', 'Z'}, {'a', 'z'}};
static const struct rune_range ascii[] = {{0, 0x7f}};
static const struct rune_range blank[] = {{'\t', '\t'}, {' ', ' '}};
static const struct rune_range cntrl[] = {{0, 0x1f}, {0x7f, 0x7f}};
static const struct rune_range graph[] = {{'!', '~'}};
static const struct rune_range lower[] = {{'a', 'z'}};
static const struct rune_range print[] = {{' ', '~'}};
static const struct rune_range punct[] = {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}};
static const struct rune_range space[] = {{'\t', '\r'}, {' ', ' '}};
static const struct rune_range upper[] = {{'A', 'Z'}};
static const struct rune_range xdigit[] = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};

#define ROW(name, table)                                                                           \
    {                                                                                              \
        name, table, sizeof(table) / sizeof *(table)                                               \
    }
static const struct unicode_table posix_classes[] = {
    ROW("alnum", alnum), ROW("alpha", alpha),   ROW("ascii", ascii), ROW("blank", blank),
    ROW("cntrl", cntrl), ROW("digit", digits),  ROW("graph", graph), ROW("lower", lower),
    ROW("print", print), ROW("punct", punct),   ROW("space", space), ROW("upper", upper),
    ROW("word", word),   ROW("xdigit", xdigit),
};
static const struct unicode_table escape_classes[] = {
    ROW("d", digits),
    ROW("s", perl_space),
    ROW("w", word),
};

static const struct rune_range *find_class(const struct unicode_table *t, size_t n_tables,
                                           struct str_view name, size_t *ret_n)
{
    for (size_t i = 0; i < n_tables; i++) {
        if (sv_eq(sv_of(t[i].name), name)) {
            *ret_n = t[i].n;
            return t[i].ranges;
        }
    }
    return NULL;
}

const struct rune_range *class_of_escape(char letter, size_t *ret_n)
{
    return find_class(escape_classes, sizeof escape_classes / sizeof *escape_classes,
                      sv(&letter, 1), ret_n);
}

const struct rune_range *class_of_posix(struct str_view name, size_t *ret_n)
{
    return find_class(posix_classes, sizeof posix_classes / sizeof *posix_classes, name, ret_n);
}
