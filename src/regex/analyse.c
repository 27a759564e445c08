/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/analyse.h"

#include "base/bytes.h"
#include "regex/facts.h"

/* ---- lengths and newlines ---- */

static size_t add_len(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t rune_len(uint32_t rune)
{
    return rune == RUNE_BAD || rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
}

/* Bytes of the shortest match. */
static size_t min_len(const struct node *n)
{
    size_t len = 0, product;
    switch (n->op) {
    case NODE_RUNE:
        len = rune_len(n->rune);
        if (n->fold)
            for (uint32_t r = unicode_fold_next(n->rune); r != n->rune; r = unicode_fold_next(r))
                len = rune_len(r) < len ? rune_len(r) : len;
        return len;
    case NODE_SET:
        return n->set->n == 0 || rune_set_has(n->set, RUNE_BAD) ? 1 : rune_len(n->set->r[0].lo);
    case NODE_CAPTURE:
        return min_len(n->first);
    case NODE_REPEAT:
        if (__builtin_mul_overflow(min_len(n->first), (size_t)n->min, &product))
            return SIZE_MAX;
        return product;
    case NODE_CONCAT:
        for (const struct node *s = n->first; s; s = s->next)
            len = add_len(len, min_len(s));
        return len;
    case NODE_ALTERNATE:
        len = SIZE_MAX;
        for (const struct node *s = n->first; s && len > 0; s = s->next) {
            size_t branch = min_len(s);
            len = branch < len ? branch : len;
        }
        return len;
    default:
        return 0;
    }
}

static bool takes_newline(const struct node *n)
{
    if (n->op == NODE_RUNE)
        return n->rune == '\n';
    if (n->op == NODE_SET)
        return rune_set_has(n->set, '\n');
    if (n->op == NODE_REPEAT && n->max == 0)
        return false;
    for (const struct node *s = n->first; s; s = s->next)
        if (takes_newline(s))
            return true;
    return false;
}

/* Whether every match begins (at_end: ends) at that end of the text. */
static bool is_anchored(const struct node *n, bool at_end)
{
    switch (n->op) {
    case NODE_BEGIN_TEXT:
        return !at_end;
    case NODE_END_TEXT:
        return at_end;
    case NODE_CAPTURE:
        return is_anchored(n->first, at_end);
    case NODE_REPEAT:
        return n->min > 0 && is_anchored(n->first, at_end);
    case NODE_CONCAT:
        return is_anchored(at_end ? n->last : n->first, at_end);
    case NODE_ALTERNATE:
        for (const struct node *s = n->first; s; s = s->next)
            if (!is_anchored(s, at_end))
                return false;
        return true;
    default:
        return false;
    }
}

/* ---- the shape ---- */

/* The parts of the whole; anchors and .* are taken from its ends, what is left is the core. */
struct outline {
    const struct node **parts;
    size_t n;
};

static const struct node *inside(const struct node *n)
{
    while (n->op == NODE_CAPTURE)
        n = n->first;
    return n;
}

enum end_part { PART_OTHER, PART_ANCHOR, PART_ANYTHING, PART_ANYTHING_BUT_NEWLINE };

static enum end_part end_part(const struct node *n, enum node_op anchor)
{
    n = inside(n);
    if (n->op == anchor)
        return PART_ANCHOR;
    if (n->op != NODE_REPEAT || n->min != 0 || n->max != -1)
        return PART_OTHER;
    const struct node *sub = inside(n->first);
    if (sub->op != NODE_SET)
        return PART_OTHER;
    const struct rune_range *r = sub->set->r;
    if (sub->set->n == 1 && r[0].lo == 0 && r[0].hi == RUNE_MAX)
        return PART_ANYTHING;
    if (sub->set->n == 2 && r[0].lo == 0 && r[0].hi == '\n' - 1 && r[1].lo == '\n' + 1 &&
        r[1].hi == RUNE_MAX)
        return PART_ANYTHING_BUT_NEWLINE;
    return PART_OTHER;
}

/* Reads anchors, then .*, from one end; *ret_n says how many parts that were.  True when anything
 * may stand outside the rest.  `^.*x` is left alone: what stands before x must not hold a \n. */
static bool read_end(const struct outline *o, bool from_end, size_t *ret_n)
{
    enum node_op anchor = from_end ? NODE_END_TEXT : NODE_BEGIN_TEXT;
    bool anchored = false, anything = false;
    size_t n = 0;
    for (; n < o->n; n++) {
        enum end_part part = end_part(o->parts[from_end ? o->n - 1 - n : n], anchor);
        if (part == PART_ANCHOR && !anything)
            anchored = true;
        else if (part == PART_ANYTHING || (part == PART_ANYTHING_BUT_NEWLINE && !anchored))
            anything = true;
        else
            break;
    }
    *ret_n = n;
    return anything || !anchored;
}

static void set_shape(struct regex_literals *ret, const struct facts *core, bool open_start,
                      bool open_end)
{
    if (!core->is_exact || core->has_assertions)
        return;
    ret->shape = open_start && open_end ? REGEX_SHAPE_CONTAINS
                 : open_start           ? REGEX_SHAPE_SUFFIX
                 : open_end             ? REGEX_SHAPE_PREFIX
                                        : REGEX_SHAPE_EQUALS;
    bool empty = false;
    for (size_t i = 0; i < core->exact.n; i++)
        empty |= core->exact.v[i].bytes.len == 0;
    if (core->exact.n == 0)
        ret->shape = REGEX_SHAPE_NEVER;
    else if (empty && ret->shape != REGEX_SHAPE_EQUALS)
        ret->shape = REGEX_SHAPE_ALWAYS;
    else
        ret->lits_or_empty = empty;
}

static const struct regex_literal *copy_literals(struct arena *a, struct literal_set s,
                                                 size_t *ret_n)
{
    struct regex_literal *v = ARENA_ARRAY(a, struct regex_literal, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.v[i].bytes.len > 0)
            v[n++] = (struct regex_literal){arena_copy(a, s.v[i].bytes), s.v[i].fold};
    *ret_n = n;
    return v;
}

static void find_shape(struct regex_literals *ret, struct arena *arena, struct arena *work,
                       const struct node *root)
{
    const struct node *top = inside(root);
    bool several = top->op == NODE_CONCAT;
    struct outline o = {0};
    for (const struct node *s = several ? top->first : top; s; s = several ? s->next : NULL)
        o.n++;
    o.parts = ARENA_ARRAY(work, const struct node *, o.n);
    const struct node *at = several ? top->first : top;
    for (size_t i = 0; i < o.n; i++, at = at->next)
        o.parts[i] = at;
    size_t n_start, n_end;
    bool open_start = read_end(&o, false, &n_start);
    o.parts += n_start;
    o.n -= n_start;
    bool open_end = read_end(&o, true, &n_end);
    o.n -= n_end;
    /* parts are neighbours in the list: the core is a run of it */
    const struct node *from = o.n ? o.parts[0] : NULL;
    const struct node *to = o.n && several ? o.parts[o.n - 1]->next : NULL;
    struct facts core = facts_of_run(work, from, to);
    set_shape(ret, &core, open_start, open_end);
    if (ret->shape >= REGEX_SHAPE_CONTAINS)
        ret->lits = copy_literals(arena, core.exact, &ret->n_lits);
}

static void put_clauses(struct regex_literals *ret, struct arena *arena, const struct facts *f)
{
    struct literal_set exact = f->exact;
    bool whole = f->is_exact && exact.n > 0;
    for (size_t i = 0; i < exact.n && whole; i++)
        whole = exact.v[i].bytes.len > 0;
    size_t n = f->is_exact ? whole : f->n_clauses;
    struct regex_clause *clauses = ARENA_ARRAY(arena, struct regex_clause, n);
    for (size_t c = 0; c < n; c++) {
        const struct literal_set *s = f->is_exact ? &exact : &f->clauses[c];
        clauses[c].any = copy_literals(arena, *s, &clauses[c].n_any);
        clauses[c].min_len = SIZE_MAX;
        for (size_t i = 0; i < s->n; i++)
            if (s->v[i].bytes.len < clauses[c].min_len)
                clauses[c].min_len = s->v[i].bytes.len;
    }
    ret->clauses = clauses;
    ret->n_clauses = n;
}

void analyse_tree(struct regex_literals *ret, struct arena *arena, const struct node *root)
{
    CLEANUP(arena_deinit) struct arena work = ARENA_INIT;
    *ret = (struct regex_literals){.shape = REGEX_SHAPE_OTHER};
    ret->min_len = min_len(root);
    ret->anchored_start = is_anchored(root, false);
    ret->anchored_end = is_anchored(root, true);
    ret->may_match_newline = takes_newline(root);
    find_shape(ret, arena, &work, root);
    struct facts all = facts_of(&work, root);
    put_clauses(ret, arena, &all);
}
