/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled from the end to the start: each node is handed the instruction that follows it and
 * returns the one to enter by, so nothing needs patching but loops. */
#include "regex/prog.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "regex/classes.h"
#include "regex/hints.h"

enum {
    MAX_INSTS = 4 * TREE_MAX_SIZE,
    MAX_SET_WORDS = 4 << 20,
    MAX_THREAD_SLOTS = 2 << 20, /* positions that an NFA thread list may hold */
};

struct compiler {
    struct prog *prog;
    struct tree *tree;
    struct set_builder spare;
    bool full;
};

static uint32_t emit(struct compiler *c, enum inst_op op, uint32_t next, uint32_t arg)
{
    struct prog *p = c->prog;
    if (p->n_insts >= MAX_INSTS) {
        c->full = true;
        return 0;
    }
    p->insts = mem_grow(p->insts, &p->cap_insts, p->n_insts + 1, sizeof *p->insts);
    p->insts[p->n_insts] = (struct inst){(uint32_t)op & 7u, next & 0x1fffffffu, arg};
    return (uint32_t)p->n_insts++;
}

static bool is_nullable(const struct node *n)
{
    bool all = true;
    switch (n->op) {
    case NODE_RUNE:
    case NODE_SET:
        return false;
    case NODE_CAPTURE:
        return is_nullable(n->first);
    case NODE_REPEAT:
        return n->min == 0 || is_nullable(n->first);
    case NODE_CONCAT:
        for (const struct node *s = n->first; s && all; s = s->next)
            all = is_nullable(s);
        return all;
    case NODE_ALTERNATE:
        for (const struct node *s = n->first; s; s = s->next)
            if (is_nullable(s))
                return true;
        return false;
    default:
        return true;
    }
}

static const struct rune_set *set_of_rune(struct compiler *c, uint32_t rune, bool fold)
{
    c->spare.n = c->spare.clean_n = 0;
    (fold ? set_builder_add_fold : set_builder_add)(&c->spare, rune, rune);
    return set_pool_intern(&c->tree->sets, &c->spare, false);
}

static uint32_t emit_either(struct compiler *c, bool lazy, uint32_t body, uint32_t next)
{
    return lazy ? emit(c, INST_ALT, next, body) : emit(c, INST_ALT, body, next);
}

static void set_either(struct compiler *c, uint32_t at, bool lazy, uint32_t body, uint32_t next)
{
    struct inst *in = &c->prog->insts[at];
    in->next = (lazy ? next : body) & 0x1fffffffu;
    in->arg = lazy ? body : next;
}

static uint32_t compile(struct compiler *c, const struct node *n, uint32_t next);

/* x+: the body, then either the body again or next. */
static uint32_t compile_plus(struct compiler *c, const struct node *sub, bool lazy, uint32_t next)
{
    uint32_t again = emit(c, INST_ALT, 0, 0);
    uint32_t body = compile(c, sub, again);
    if (!c->full)
        set_either(c, again, lazy, body, next);
    return body;
}

/* x*; for an x that can be empty it is (x+)?, which keeps Go's preference among empty matches. */
static uint32_t compile_star(struct compiler *c, const struct node *sub, bool lazy, uint32_t next)
{
    if (is_nullable(sub))
        return emit_either(c, lazy, compile_plus(c, sub, lazy, next), next);
    uint32_t loop = emit(c, INST_ALT, 0, 0);
    uint32_t body = compile(c, sub, loop);
    if (!c->full)
        set_either(c, loop, lazy, body, next);
    return loop;
}

static uint32_t compile_repeat(struct compiler *c, const struct node *n, uint32_t next)
{
    uint32_t at = next;
    int copies = n->min;
    if (n->max < 0 && n->min == 0)
        return compile_star(c, n->first, n->lazy, next);
    if (n->max < 0) {
        at = compile_plus(c, n->first, n->lazy, next);
        copies--;
    }
    for (int i = n->min; i < n->max && !c->full; i++) /* (x(x(x)?)?)? */
        at = emit_either(c, n->lazy, compile(c, n->first, at), next);
    for (int i = 0; i < copies && !c->full; i++)
        at = compile(c, n->first, at);
    return at;
}

/* Children last to first; the list only knows the other way, so it is turned round twice. */
static uint32_t compile_concat(struct compiler *c, const struct node *n, uint32_t next)
{
    size_t count = 0;
    for (const struct node *s = n->first; s; s = s->next)
        count++;
    const struct node **parts = mem_alloc(count * sizeof *parts);
    size_t i = 0;
    for (const struct node *s = n->first; s; s = s->next)
        parts[i++] = s;
    while (i > 0)
        next = compile(c, parts[--i], next);
    free(parts);
    return next;
}

static uint32_t compile_alternate(struct compiler *c, const struct node *n, uint32_t next)
{
    uint32_t entry = 0, before = 0;
    for (const struct node *s = n->first; s && !c->full; s = s->next) {
        uint32_t body = compile(c, s, next), at = body;
        if (s->next)
            at = emit(c, INST_ALT, body, 0);
        if (s == n->first)
            entry = at;
        else
            c->prog->insts[before].arg = at;
        before = at;
    }
    return entry;
}

static uint32_t compile_assert(struct compiler *c, unsigned assertion, uint32_t next)
{
    c->prog->assertions |= assertion;
    return emit(c, INST_ASSERT, next, assertion);
}

static uint32_t compile(struct compiler *c, const struct node *n, uint32_t next)
{
    switch (n->op) {
    case NODE_EMPTY:
        return next;
    case NODE_RUNE:
        return emit(c, INST_SET, next, set_of_rune(c, n->rune, n->fold)->id);
    case NODE_SET:
        return emit(c, INST_SET, next, n->set->id);
    case NODE_BEGIN_LINE:
        return compile_assert(c, AT_BEGIN_LINE, next);
    case NODE_END_LINE:
        return compile_assert(c, AT_END_LINE, next);
    case NODE_BEGIN_TEXT:
        return compile_assert(c, AT_BEGIN_TEXT, next);
    case NODE_END_TEXT:
        return compile_assert(c, AT_END_TEXT, next);
    case NODE_WORD_EDGE:
        return compile_assert(c, AT_WORD_EDGE, next);
    case NODE_NO_WORD_EDGE:
        return compile_assert(c, AT_NO_WORD_EDGE, next);
    case NODE_CAPTURE:
        next = emit(c, INST_SAVE, next, 2 * n->group + 1);
        next = compile(c, n->first, next);
        return emit(c, INST_SAVE, next, 2 * n->group);
    case NODE_REPEAT:
        return compile_repeat(c, n, next);
    case NODE_CONCAT:
        return compile_concat(c, n, next);
    case NODE_ALTERNATE:
        return compile_alternate(c, n, next);
    }
    abort();
}

/* Whether all ways in pass \A first. */
static bool is_anchored(const struct node *n)
{
    switch (n->op) {
    case NODE_BEGIN_TEXT:
        return true;
    case NODE_CAPTURE:
        return is_anchored(n->first);
    case NODE_REPEAT:
        return n->min > 0 && is_anchored(n->first);
    case NODE_CONCAT:
        return is_anchored(n->first);
    case NODE_ALTERNATE:
        for (const struct node *s = n->first; s; s = s->next)
            if (!is_anchored(s))
                return false;
        return true;
    default:
        return false;
    }
}

/* Until here `arg` of INST_SET is the pool's set id; now sets become rows of class bits, and a set
 * of a single class becomes that class. */
static int bind_sets(struct prog *p, struct tree *tree, const struct set_builder *word,
                     struct err *err)
{
    struct set_pool *pool = &tree->sets;
    CLEANUP(set_classes_deinit) struct set_classes classes = {0};
    set_classes_compute(&classes, pool->by_id, pool->n_sets);
    p->n_classes = classes.n_classes;
    p->set_words = (classes.n_classes + 63) / 64;
    for (unsigned c = 0; c < 128; c++)
        p->ascii_class[c] = (uint8_t)classes.ascii[c];
    p->starts = TAKE(classes.starts);
    p->n_starts = classes.n_starts;
    p->bad_class = prog_class_of_rune(p, RUNE_BAD);
    p->newline_class = p->ascii_class['\n'];
    for (size_t i = 0; i < word->n; i++)
        for (uint32_t r = word->r[i].lo; r <= word->r[i].hi; r++)
            p->word_classes[p->ascii_class[r] / 64] |= (uint64_t)1 << p->ascii_class[r] % 64;

    CLEANUP(set_rows_deinit) struct set_rows rows = {0};
    set_rows_init(&rows, p->set_words, pool->n_sets);
    for (size_t i = 0; i < p->n_insts; i++) {
        struct inst *in = &p->insts[i];
        if (in->op != INST_SET)
            continue;
        uint32_t only;
        uint32_t row = set_rows_get(&rows, &classes, p->starts, pool->by_id[in->arg], &only);
        in->arg = row;
        if (only != UINT32_MAX) {
            in->op = INST_CLASS;
            in->arg = only;
        }
        if (rows.n * p->set_words > MAX_SET_WORDS)
            return err_set(err, ERR_INVALID, "error parsing regexp: expression too large");
    }
    p->n_sets = rows.n;
    p->set_bits = TAKE(rows.bits);
    return 0;
}

/* Paths can only meet, and loops only close, at an instruction with more than one way in. */
static void number_joins(struct prog *p)
{
    p->join = mem_zalloc(p->n_insts, sizeof *p->join);
    p->join[p->start]++;
    for (size_t i = 0; i < p->n_insts; i++) {
        if (p->insts[i].op != INST_MATCH)
            p->join[p->insts[i].next]++;
        if (p->insts[i].op == INST_ALT)
            p->join[p->insts[i].arg]++;
    }
    for (size_t i = 0; i < p->n_insts; i++) {
        bool is_run = p->run_of && p->run_of[i];
        p->join[i] = p->join[i] > 1 && !is_run ? (uint32_t)p->n_joins++ : NO_JOIN;
    }
}

int prog_compile(struct prog *ret, struct tree *tree, struct err *err)
{
    struct prog p = {.n_groups = tree->n_groups};
    struct compiler c = {.prog = &p, .tree = tree};
    uint32_t at = emit(&c, INST_MATCH, 0, 0);
    at = emit(&c, INST_SAVE, at, 1);
    at = compile(&c, tree->root, at);
    p.start = emit(&c, INST_SAVE, at, 0);
    p.anchored_start = is_anchored(tree->root);

    /* \n is always a class of its own, word characters where \b asks for them */
    set_of_rune(&c, '\n', false);
    size_t n;
    const struct rune_range *word = class_of_escape('w', &n);
    struct set_builder word_set = {0};
    set_builder_add_ranges(&word_set, word, n);
    if (p.assertions & (AT_WORD_EDGE | AT_NO_WORD_EDGE))
        set_pool_intern(&tree->sets, &word_set, false);
    else
        word_set.n = 0;
    if (p.n_insts * p.n_groups * 2 > MAX_THREAD_SLOTS)
        c.full |= p.n_groups > 1;
    int r = c.full ? err_set(err, ERR_INVALID, "error parsing regexp: expression too large")
                   : bind_sets(&p, tree, &word_set, err);
    set_builder_deinit(&word_set);
    set_builder_deinit(&c.spare);
    if (r < 0) {
        prog_deinit(&p);
        return r;
    }
    prog_find_runs(&p);
    prog_find_first(&p);
    number_joins(&p);
    *ret = p;
    return 0;
}

void prog_deinit(struct prog *p)
{
    free(p->insts);
    free(p->join);
    free(p->starts);
    free(p->set_bits);
    free(p->runs);
    free(p->run_of);
    *p = (struct prog){0};
}

uint32_t prog_class_of_rune(const struct prog *p, uint32_t rune)
{
    if (rune < 0x80)
        return p->ascii_class[rune];
    size_t lo = 0, hi = p->n_starts; /* starts[lo].rune <= rune < starts[hi].rune */
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (p->starts[mid].rune <= rune)
            lo = mid;
        else
            hi = mid;
    }
    return p->starts[lo].class;
}
