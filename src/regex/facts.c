/* SPDX-License-Identifier: Apache-2.0 */
/* Small sets of strings are carried upwards and multiplied out in concatenations.  Where a set
 * would grow too big, or meets something that is not a string, it is set down as a clause. */
#include "regex/facts.h"

#include "base/ascii.h"
#include "base/bytes.h"
#include "regex/unicode.h"

enum { MAX_PRODUCT = 64, MAX_PRODUCT_BYTES = 64 << 10, MAX_CLASS_RUNES = 8, MAX_CLAUSE = 256 };

static bool has_letters(struct str_view s)
{
    for (size_t i = 0; i < s.len; i++)
        if (ascii_is_letter(s.p[i]))
            return true;
    return false;
}

static bool is_ascii(struct str_view s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

static struct literal_set one_literal(struct arena *a, struct str_view bytes, bool fold)
{
    struct regex_literal *l = ARENA_NEW(a, struct regex_literal);
    *l = (struct regex_literal){bytes, fold};
    return (struct literal_set){l, 1};
}

static struct facts exactly(struct literal_set set)
{
    return (struct facts){.is_exact = true, .exact = set};
}

/* ---- clauses ---- */

static size_t shortest(struct literal_set s)
{
    size_t n = SIZE_MAX;
    for (size_t i = 0; i < s.n; i++)
        if (s.v[i].bytes.len < n)
            n = s.v[i].bytes.len;
    return s.n ? n : 0;
}

/* Long and few is good: a byte more is worth more than halving the number of alternatives. */
static int clause_score(struct literal_set s)
{
    size_t len = shortest(s);
    int score = len > 16 ? 64 : (int)len * 4;
    for (size_t n = s.n; n > 1; n /= 2)
        score -= 3;
    return score;
}

static void add_clause(struct facts *f, struct literal_set s)
{
    if (s.n == 0 || s.n > MAX_CLAUSE || shortest(s) == 0)
        return;
    int score = clause_score(s);
    size_t at = f->n_clauses;
    while (at > 0 && clause_score(f->clauses[at - 1]) < score)
        at--;
    if (at == FACTS_MAX_CLAUSES)
        return;
    size_t end = f->n_clauses < FACTS_MAX_CLAUSES ? f->n_clauses++ : FACTS_MAX_CLAUSES - 1;
    memmove(&f->clauses[at + 1], &f->clauses[at], (end - at) * sizeof f->clauses[0]);
    f->clauses[at] = s;
}

static void add_clauses_of(struct facts *f, const struct facts *part)
{
    if (part->is_exact)
        add_clause(f, part->exact);
    for (size_t i = 0; i < part->n_clauses; i++)
        add_clause(f, part->clauses[i]);
}

/* ---- products ---- */

/* Joins two literals; false when one folds what the other must not. */
static bool join(struct arena *a, const struct regex_literal *x, const struct regex_literal *y,
                 struct regex_literal *ret)
{
    bool fold = x->fold || y->fold;
    if (x->fold != y->fold) {
        struct str_view plain = x->fold ? y->bytes : x->bytes;
        if (has_letters(plain) || !is_ascii(plain))
            return false;
    }
    if (x->bytes.len == 0 || y->bytes.len == 0) {
        *ret = x->bytes.len ? *x : *y;
        return true;
    }
    char *p = arena_alloc(a, x->bytes.len + y->bytes.len);
    memcpy(p, x->bytes.p, x->bytes.len);
    memcpy(p + x->bytes.len, y->bytes.p, y->bytes.len);
    *ret = (struct regex_literal){sv(p, x->bytes.len + y->bytes.len), fold};
    return true;
}

static size_t total_bytes(struct literal_set s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.v[i].bytes.len;
    return n;
}

static bool is_empty_string(struct literal_set s)
{
    return s.n == 1 && s.v[0].bytes.len == 0;
}

/* Every string of x followed by every string of y, while that stays small. */
static bool multiply(struct arena *a, struct literal_set x, struct literal_set y,
                     struct literal_set *ret)
{
    if (is_empty_string(x) || is_empty_string(y)) {
        *ret = is_empty_string(x) ? y : x;
        return true;
    }
    size_t n = x.n * y.n;
    bool many = n > MAX_PRODUCT && x.n > 1 && y.n > 1;
    if (many || n > FACTS_MAX_EXACT ||
        total_bytes(x) * y.n + total_bytes(y) * x.n > MAX_PRODUCT_BYTES)
        return false;
    struct regex_literal *v = ARENA_ARRAY(a, struct regex_literal, n);
    for (size_t i = 0; i < n; i++)
        if (!join(a, &x.v[i / y.n], &y.v[i % y.n], &v[i]))
            return false;
    *ret = (struct literal_set){v, n};
    return true;
}

/* ---- nodes ---- */

/* A rune as a literal: false when it has none (U+FFFD), or more case variants than ASCII's two. */
static bool rune_literal(const struct node *n, char bytes[4], unsigned *ret_len, bool *ret_fold)
{
    uint32_t rune = n->rune;
    *ret_fold = n->fold;
    if (n->fold) {
        uint32_t other = unicode_fold_next(rune);
        if (unicode_fold_next(other) != rune || rune >= 0x80 || other >= 0x80)
            return false;
        rune |= 0x20;
    }
    if (rune == RUNE_BAD || (rune >= 0xd800 && rune < 0xe000))
        return false;
    *ret_len = rune_encode(rune, bytes);
    return true;
}

/* {a, A} counts as a folded a. */
static bool is_case_pair(const struct rune_set *s)
{
    return s->n == 2 && s->r[0].lo == s->r[0].hi && s->r[1].lo == s->r[1].hi && s->r[0].lo >= 'A' &&
           s->r[0].lo <= 'Z' && s->r[1].lo == (s->r[0].lo | 0x20);
}

static struct facts set_facts(struct arena *a, const struct rune_set *s)
{
    if (is_case_pair(s)) {
        char lower = (char)s->r[1].lo;
        return exactly(one_literal(a, arena_copy(a, sv(&lower, 1)), true));
    }
    size_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        n += s->r[i].hi - s->r[i].lo + 1;
        if (n > MAX_CLASS_RUNES)
            return (struct facts){0};
    }
    if (rune_set_has(s, RUNE_BAD))
        return (struct facts){0};
    struct regex_literal *v = ARENA_ARRAY(a, struct regex_literal, n);
    n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t r = s->r[i].lo; r <= s->r[i].hi; r++) {
            char bytes[4];
            unsigned len = rune_encode(r, bytes);
            if (r < 0xd800 || r >= 0xe000)
                v[n++].bytes = arena_copy(a, sv(bytes, len));
        }
    }
    return exactly((struct literal_set){v, n});
}

static struct facts repeat_facts(struct arena *a, const struct node *n)
{
    struct facts f = facts_of(a, n->first);
    struct literal_set all = {0};
    if (f.is_exact && n->max >= 0 && n->min == n->max && n->max <= 64) { /* x{3} */
        bool ok = true;
        all = one_literal(a, SV_EMPTY, false);
        for (int i = 0; i < n->max && ok; i++)
            ok = multiply(a, all, f.exact, &all);
        if (ok) {
            f.exact = all;
            f.n_clauses = 0;
            return f;
        }
    }
    if (f.is_exact && n->min == 0 && n->max == 1) { /* x? */
        struct regex_literal *v = ARENA_ARRAY(a, struct regex_literal, f.exact.n + 1);
        if (f.exact.n)
            memcpy(v, f.exact.v, f.exact.n * sizeof *v);
        v[f.exact.n].bytes = SV_EMPTY;
        f.exact = (struct literal_set){v, f.exact.n + 1};
        f.n_clauses = 0;
        return f;
    }
    struct facts ret = {.has_assertions = f.has_assertions};
    if (n->min > 0)
        add_clauses_of(&ret, &f);
    return ret;
}

static bool append(struct arena *a, struct literal_set *to, size_t *cap, struct literal_set s,
                   size_t limit)
{
    if (to->n + s.n > limit)
        return false;
    if (to->n + s.n > *cap) {
        *cap = 2 * (to->n + s.n);
        struct regex_literal *v = ARENA_ARRAY(a, struct regex_literal, *cap);
        if (to->n)
            memcpy(v, to->v, to->n * sizeof *v);
        to->v = v;
    }
    for (size_t i = 0; i < s.n; i++)
        ((struct regex_literal *)(uintptr_t)to->v)[to->n++] = s.v[i];
    return true;
}

/* Exact where all branches are; else one clause out of the best of each. */
static struct facts alternate_facts(struct arena *a, const struct node *n)
{
    struct literal_set exact = {0}, clause = {0};
    size_t cap_exact = 0, cap_clause = 0;
    bool is_exact = true, has_clause = true;
    struct facts ret = {0};
    for (const struct node *s = n->first; s && (is_exact || has_clause); s = s->next) {
        struct facts f = facts_of(a, s), best = {0};
        ret.has_assertions |= f.has_assertions;
        is_exact =
            is_exact && f.is_exact && append(a, &exact, &cap_exact, f.exact, FACTS_MAX_EXACT);
        add_clauses_of(&best, &f);
        has_clause = has_clause && best.n_clauses > 0 &&
                     append(a, &clause, &cap_clause, best.clauses[0], MAX_CLAUSE);
    }
    ret.is_exact = is_exact;
    ret.exact = exact;
    if (!is_exact && has_clause)
        add_clause(&ret, clause);
    return ret;
}

/* A concatenation in progress. */
struct chain {
    struct arena *arena;
    struct facts f;
    struct literal_set run; /* what directly precedes; the empty string where nothing does */
    struct buf text;        /* runes not yet in run */
    bool text_fold, text_letters, text_ascii;
};

static void chain_cut(struct chain *c)
{
    add_clause(&c->f, c->run);
    c->run = one_literal(c->arena, SV_EMPTY, false);
    c->f.is_exact = false;
}

static void chain_set(struct chain *c, struct literal_set s)
{
    if (multiply(c->arena, c->run, s, &c->run))
        return;
    chain_cut(c);
    c->run = s;
}

static void chain_flush(struct chain *c)
{
    if (c->text.len > 0)
        chain_set(c, one_literal(c->arena, arena_copy(c->arena, buf_view(&c->text)), c->text_fold));
    buf_clear(&c->text);
    c->text_fold = c->text_letters = false;
    c->text_ascii = true;
}

static void chain_rune(struct chain *c, const char *bytes, unsigned len, bool fold)
{
    struct str_view v = sv(bytes, len);
    bool letters = has_letters(v), ascii = is_ascii(v);
    bool clash = (fold && !c->text_fold && (c->text_letters || !c->text_ascii)) ||
                 (!fold && c->text_fold && (letters || !ascii));
    if (clash)
        chain_flush(c);
    c->text_fold |= fold;
    c->text_letters |= letters;
    c->text_ascii &= ascii;
    buf_put(&c->text, v);
}

static void chain_node(struct chain *c, const struct node *n)
{
    char bytes[4];
    unsigned len;
    bool fold;
    if (n->op == NODE_RUNE && rune_literal(n, bytes, &len, &fold)) {
        chain_rune(c, bytes, len, fold);
        return;
    }
    chain_flush(c);
    struct facts part = facts_of(c->arena, n);
    c->f.has_assertions |= part.has_assertions;
    if (part.is_exact) {
        chain_set(c, part.exact);
        return;
    }
    chain_cut(c);
    add_clauses_of(&c->f, &part);
}

struct facts facts_of_run(struct arena *arena, const struct node *from, const struct node *to)
{
    struct chain c = {.arena = arena,
                      .f = {.is_exact = true},
                      .run = one_literal(arena, SV_EMPTY, false),
                      .text_ascii = true};
    for (const struct node *n = from; n && n != to; n = n->next)
        chain_node(&c, n);
    chain_flush(&c);
    buf_deinit(&c.text);
    if (c.f.is_exact) {
        c.f.exact = c.run;
        c.f.n_clauses = 0;
    } else {
        add_clause(&c.f, c.run);
    }
    return c.f;
}

struct facts facts_of(struct arena *arena, const struct node *n)
{
    char bytes[4];
    unsigned len;
    bool fold;
    switch (n->op) {
    case NODE_RUNE:
        if (!rune_literal(n, bytes, &len, &fold))
            return (struct facts){0};
        return exactly(one_literal(arena, arena_copy(arena, sv(bytes, len)), fold));
    case NODE_SET:
        return set_facts(arena, n->set);
    case NODE_CAPTURE:
        return facts_of(arena, n->first);
    case NODE_REPEAT:
        return repeat_facts(arena, n);
    case NODE_CONCAT:
        return facts_of_run(arena, n->first, NULL);
    case NODE_ALTERNATE:
        return alternate_facts(arena, n);
    default: {
        struct facts f = exactly(one_literal(arena, SV_EMPTY, false));
        f.has_assertions = n->op != NODE_EMPTY;
        return f;
    }
    }
}
