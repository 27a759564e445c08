/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles a pattern once into all that the calls need, and picks the cheapest way for each call:
 * a string test, a string search that finds candidates, the DFA, and the NFA behind it. */
#include "regex/regex.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "regex/analyse.h"
#include "regex/prog.h"
#include "regex/scratch.h"
#include "regex/substr.h"

struct regex {
    atomic_uint refs;
    uint64_t id;        /* never used twice in a process; the rest is fixed at init */
    struct arena arena; /* pattern, names, literals */
    struct str_view pattern;
    struct str_view *names;
    size_t n_groups;
    struct prog prog;
    struct regex_literals literals;
    bool has_needle; /* every match holds it, and it is worth looking for it first */
    struct substr_needle needle;
};

enum { NEEDLE_MIN = 3, TEXT_MIN = 32 };

static uint64_t new_id(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static int parse_wrapped(struct tree *ret, struct arena *a, struct str_view before,
                         struct str_view pattern, struct err *err)
{
    CLEANUP(buf_deinit) struct buf wrapped = BUF_INIT;
    buf_put(&wrapped, before);
    buf_put(&wrapped, pattern);
    buf_put(&wrapped, SV(")$"));
    return tree_parse(ret, a, arena_copy(a, buf_view(&wrapped)), 0, err);
}

static int parse(struct tree *ret, struct arena *a, struct str_view pattern, enum regex_mode mode,
                 struct err *err)
{
    if (mode == REGEX_SEARCH)
        return tree_parse(ret, a, pattern, 0, err);
    if (mode == REGEX_FULL)
        return parse_wrapped(ret, a, SV("^(?:"), pattern, err);
    struct tree alone; /* must be right by itself, so that `a)(b` is not */
    int r = tree_parse(&alone, a, pattern, TREE_DOTALL, err);
    if (r < 0)
        return r;
    tree_deinit(&alone);
    return parse_wrapped(ret, a, SV("^(?s:"), pattern, err);
}

static void keep_names(struct regex *re, const struct tree *t)
{
    re->n_groups = t->n_groups;
    re->names = ARENA_ARRAY(&re->arena, struct str_view, t->n_groups);
    for (size_t i = 0; i < t->n_groups; i++)
        re->names[i] = arena_copy(&re->arena, t->names[i]);
}

static void keep_needle(struct regex *re)
{
    if (re->literals.n_clauses == 0)
        return;
    const struct regex_clause *best = &re->literals.clauses[0];
    if (best->n_any != 1 || best->min_len < NEEDLE_MIN)
        return;
    substr_init(&re->needle, best->any[0].bytes, best->any[0].fold ? SUBSTR_FOLD : SUBSTR_EXACT);
    re->has_needle = true;
}

int regex_compile(struct regex **ret, struct str_view pattern, enum regex_mode mode,
                  struct err *err)
{
    CLEANUP(arena_deinit) struct arena work = ARENA_INIT;
    CLEANUP(tree_deinit) struct tree tree = {0};
    struct prog prog;
    int r = parse(&tree, &work, pattern, mode, err);
    if (r == 0)
        r = prog_compile(&prog, &tree, err);
    if (r < 0)
        return r;
    struct regex *re = mem_zalloc(1, sizeof *re);
    atomic_init(&re->refs, 1);
    re->id = new_id();
    re->prog = prog;
    re->pattern = arena_copy(&re->arena, pattern);
    keep_names(re, &tree);
    analyse_tree(&re->literals, &re->arena, tree.root);
    keep_needle(re);
    *ret = re;
    return 0;
}

struct regex *regex_ref(struct regex *re)
{
    atomic_fetch_add_explicit(&re->refs, 1, memory_order_relaxed);
    return re;
}

void regex_unref(struct regex *re)
{
    if (!re || atomic_fetch_sub_explicit(&re->refs, 1, memory_order_acq_rel) > 1)
        return;
    prog_deinit(&re->prog);
    if (re->has_needle)
        substr_deinit(&re->needle);
    arena_deinit(&re->arena);
    free(re);
}

struct str_view regex_pattern(const struct regex *re)
{
    return re->pattern;
}

size_t regex_n_groups(const struct regex *re)
{
    return re->n_groups;
}

struct str_view regex_group_name(const struct regex *re, size_t group)
{
    return group < re->n_groups ? re->names[group] : SV_EMPTY;
}

const struct regex_literals *regex_literals(const struct regex *re)
{
    return &re->literals;
}

/* False: certainly not. */
static bool may_match(const struct regex *re, struct str_view text)
{
    return !re->has_needle || text.len < TEXT_MIN || substr_find(&re->needle, text, 0) != SIZE_MAX;
}

enum { BYTES_PER_STEP = 8 };

/* Counts what looking at the text costs at least; true when the search is to end. */
static bool must_stop(struct regex_scratch *scratch, struct str_view text)
{
    return nfa_must_stop(scratch_nfa(scratch), 1 + text.len / BYTES_PER_STEP);
}

bool regex_matches(const struct regex *re, struct regex_scratch *scratch, struct str_view text)
{
    if (must_stop(scratch, text) || !may_match(re, text))
        return false;
    struct dfa *dfa = scratch_dfa(scratch, re->id, &re->prog);
    enum dfa_verdict v = dfa_search(dfa, &re->prog, text);
    if (v == DFA_GAVE_UP)
        return nfa_search(scratch_nfa(scratch), &re->prog, text, 0, NULL, 0);
    return v == DFA_YES;
}

bool regex_captures(const struct regex *re, struct regex_scratch *scratch, struct str_view text,
                    size_t from, size_t *spans, size_t n_spans)
{
    assert(n_spans >= 2 && from <= text.len);
    size_t n = n_spans < 2 * re->n_groups ? n_spans : 2 * re->n_groups;
    for (size_t i = n; i < n_spans; i++)
        spans[i] = SIZE_MAX;
    if (from > 0)
        return nfa_search(scratch_nfa(scratch), &re->prog, text, from, spans, n);
    struct dfa *dfa = scratch_dfa(scratch, re->id, &re->prog);
    bool matched = dfa_tends_to_match(dfa) ||
                   (may_match(re, text) && dfa_search(dfa, &re->prog, text) != DFA_NO);
    if (matched)
        matched = nfa_search(scratch_nfa(scratch), &re->prog, text, 0, spans, n);
    else
        for (size_t i = 0; i < n; i++)
            spans[i] = SIZE_MAX;
    dfa_note_match(dfa, matched);
    return matched;
}

void regex_match_lines(const struct regex *re, struct regex_scratch *scratch,
                       const struct regex_lines *lines, uint64_t *wanted, uint64_t *found)
{
    struct str_view text = sv(lines->p, lines->n ? lines->start[lines->n] : 0);
    if (!must_stop(scratch, text))
        dfa_match_lines(scratch_dfa(scratch, re->id, &re->prog), &re->prog, lines, wanted, found);
    for (size_t w = 0; w < (lines->n + (size_t)63) / 64; w++) {
        for (; wanted[w]; wanted[w] &= wanted[w] - 1) {
            size_t i = w * 64 + (size_t)__builtin_ctzll(wanted[w]);
            size_t from = lines->start[i], len = lines->start[i + 1] - 1 - from;
            if (regex_matches(re, scratch, sv(lines->p + from, len)))
                found[w] |= wanted[w] & -wanted[w];
        }
    }
}

size_t regex_mem_bytes(const struct regex *re)
{
    const struct prog *p = &re->prog;
    return sizeof *re + re->arena.used_bytes + p->cap_insts * sizeof *p->insts +
           p->n_insts * (sizeof *p->join + (p->run_of ? 1 : 0)) + p->n_runs * sizeof *p->runs +
           p->n_starts * sizeof *p->starts + p->n_sets * p->set_words * sizeof *p->set_bits;
}

const struct prog *regex_prog(const struct regex *re)
{
    return &re->prog;
}
