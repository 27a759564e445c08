/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/line_test.h"

/* ---- compiling ---- */

static void add_clause(struct line_operand_test *o, struct arena *a,
                       const struct regex_literal *lits, size_t n)
{
    struct probe_clause *c = &o->clauses[o->n_clauses++];
    c->any = ARENA_ARRAY(a, struct filter_needle, n);
    c->n = n;
    for (size_t i = 0; i < n; i++)
        filter_needle_init(&c->any[i], lits[i].bytes, lits[i].fold);
}

static void compile_contains(struct line_operand_test *o, struct str_view text, struct arena *a)
{
    o->kind = OPERAND_CONTAINS;
    substr_init(&o->needle, text, SUBSTR_EXACT);
    if (text.len < FILTER_GRAM_BYTES)
        return;
    o->clauses = ARENA_NEW(a, struct probe_clause);
    add_clause(o, a, &(struct regex_literal){text, false}, 1);
}

static int compile_search(struct line_operand_test *o, struct str_view text, struct compile *c,
                          struct err *err)
{
    struct arena *a = c->arena;
    o->kind = OPERAND_REGEX;
    int r = compile_regex(c, text, REGEX_SEARCH, &o->regex, err);
    if (r < 0)
        return r;
    const struct regex_literals *known = regex_literals(o->regex);
    if (known->shape == REGEX_SHAPE_CONTAINS) {
        o->lits = ARENA_ARRAY(a, struct substr_needle, known->n_lits);
        for (; o->n_lits < known->n_lits; o->n_lits++)
            substr_init(&o->lits[o->n_lits], known->lits[o->n_lits].bytes,
                        known->lits[o->n_lits].fold ? SUBSTR_FOLD : SUBSTR_EXACT);
    }
    o->clauses = ARENA_ARRAY(a, struct probe_clause, known->n_clauses);
    for (size_t i = 0; i < known->n_clauses; i++)
        if (known->clauses[i].min_len >= FILTER_GRAM_BYTES)
            add_clause(o, a, known->clauses[i].any, known->clauses[i].n_any);
    return 0;
}

static int compile_pattern(struct line_operand_test *o, struct str_view text, struct arena *a,
                           struct err *err)
{
    o->kind = OPERAND_PATTERN;
    int r = pattern_parse(a, text, PATTERN_FILTER, &o->pattern, err);
    if (r < 0)
        return r;
    o->clauses = ARENA_ARRAY(a, struct probe_clause, o->pattern.n);
    for (size_t i = 0; i < o->pattern.n; i++) {
        const struct pattern_token *t = &o->pattern.v[i];
        if (!t->is_capture && t->text.len >= FILTER_GRAM_BYTES)
            add_clause(o, a, &(struct regex_literal){t->text, false}, 1);
    }
    return 0;
}

static int compile_operand(struct line_operand_test *o, enum line_op op,
                           const struct line_operand *from, struct compile *c, struct err *err)
{
    if (from->is_ip) {
        o->kind = OPERAND_IP;
        return ip_range_parse(from->text, &o->ip, err);
    }
    switch (op) {
    case LINE_RE:
    case LINE_NOT_RE:
        return compile_search(o, from->text, c, err);
    case LINE_PATTERN:
    case LINE_NOT_PATTERN:
        return compile_pattern(o, from->text, c->arena, err);
    default:
        compile_contains(o, from->text, c->arena);
        return 0;
    }
}

int line_test_compile(struct line_test *t, const struct line_filter *filter, struct compile *c,
                      struct err *err)
{
    *t = (struct line_test){
        .negated = filter->op == LINE_NOT_CONTAINS || filter->op == LINE_NOT_RE ||
                   filter->op == LINE_NOT_PATTERN,
        .v = ARENA_ARRAY(c->arena, struct line_operand_test, filter->n_operands),
        .n = filter->n_operands,
    };
    for (size_t i = 0; i < t->n; i++) {
        int r = compile_operand(&t->v[i], filter->op, &filter->operands[i], c, err);
        if (r < 0) {
            t->n = i + 1; /* the failed one may be half built */
            line_test_deinit(t);
            return r;
        }
    }
    return 0;
}

void line_test_deinit(struct line_test *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct line_operand_test *o = &t->v[i];
        if (o->kind == OPERAND_CONTAINS)
            substr_deinit(&o->needle);
        if (o->kind == OPERAND_REGEX)
            regex_unref(o->regex);
        for (size_t j = 0; j < o->n_lits; j++)
            substr_deinit(&o->lits[j]);
        for (size_t c = 0; c < o->n_clauses; c++)
            for (size_t j = 0; j < o->clauses[c].n; j++)
                filter_needle_deinit(&o->clauses[c].any[j]);
    }
    t->n = 0;
}

/* ---- one line ---- */

enum { ASK_OPERANDS = 32, BYTES_PER_STEP = 8 };

/* In the unit of regex_scratch_must_stop(). */
static size_t search_steps(size_t bytes)
{
    return 8 + bytes / BYTES_PER_STEP;
}

static bool operand_matches(const struct line_operand_test *o, struct regex_scratch *scratch,
                            struct str_view line)
{
    switch (o->kind) {
    case OPERAND_CONTAINS:
        return substr_find(&o->needle, line, 0) != SIZE_MAX;
    case OPERAND_REGEX:
        return regex_matches(o->regex, scratch, line);
    case OPERAND_PATTERN:
        return pattern_matches(&o->pattern, line);
    case OPERAND_IP:
        return ip_range_in_text(&o->ip, line);
    }
    return false;
}

bool line_test_passes(const struct line_test *t, struct regex_scratch *scratch,
                      struct str_view line)
{
    for (size_t i = 0; i < t->n; i++) {
        if (operand_matches(&t->v[i], scratch, line))
            return !t->negated;
        if (i % ASK_OPERANDS == ASK_OPERANDS - 1 &&
            regex_scratch_must_stop(scratch, ASK_OPERANDS * search_steps(line.len)))
            break;
    }
    return t->negated;
}

/* ---- all lines of a chunk ---- */

static bool line_has_pattern(void *ctx, struct str_view line)
{
    return pattern_matches(ctx, line);
}

static bool line_has_ip(void *ctx, struct str_view line)
{
    return ip_range_in_text(ctx, line);
}

static void scan_operand(const struct line_operand_test *o, struct regex_scratch *scratch,
                         const struct chunk_lines *lines, bool chunk_has_newline,
                         enum scan_keep keep, struct row_set *rows)
{
    struct pattern pattern = o->pattern;
    struct ip_range ip = o->ip;
    switch (o->kind) {
    case OPERAND_CONTAINS:
        scan_contains(lines, &o->needle, 1, keep, rows);
        break;
    case OPERAND_REGEX:
        if (o->n_lits)
            scan_contains(lines, o->lits, o->n_lits, keep, rows);
        else
            scan_regex(lines, chunk_has_newline, o->regex, scratch, keep, rows);
        break;
    case OPERAND_PATTERN:
        scan_each(lines, line_has_pattern, &pattern, keep, rows);
        break;
    case OPERAND_IP:
        scan_each(lines, line_has_ip, &ip, keep, rows);
        break;
    }
}

void line_test_scan(const struct line_test *t, struct regex_scratch *scratch,
                    const struct chunk_lines *lines, bool chunk_has_newline, struct row_set *rows,
                    struct row_set tmp[2])
{
    size_t steps = search_steps(lines->start[lines->rows]);
    if (t->negated || t->n == 1) {
        for (size_t i = 0; i < t->n && !regex_scratch_must_stop(scratch, steps); i++)
            scan_operand(&t->v[i], scratch, lines, chunk_has_newline,
                         t->negated ? SCAN_KEEP_OTHERS : SCAN_KEEP_MATCHING, rows);
        return;
    }
    /* Any operand will do: each looks only at what no other has found yet. */
    struct row_set *found = &tmp[0], *one = &tmp[1];
    row_set_reset(found, rows->n_rows);
    for (size_t i = 0; i < t->n && !regex_scratch_must_stop(scratch, steps); i++) {
        row_set_copy(one, rows);
        scan_operand(&t->v[i], scratch, lines, chunk_has_newline, SCAN_KEEP_MATCHING, one);
        row_set_or(found, one);
        row_set_subtract(rows, one);
    }
    row_set_copy(rows, found);
}

/* ---- the chunk's filter ---- */

static bool clause_may_hold(const struct probe_clause *c, struct str_view filter, uint32_t bits,
                            bool ascii)
{
    for (size_t i = 0; i < c->n; i++)
        if (filter_may_contain(filter, bits, ascii, &c->any[i]))
            return true;
    return false;
}

bool line_test_may_pass(const struct line_test *t, struct str_view filter, uint32_t filter_bits,
                        bool chunk_is_ascii)
{
    if (t->negated)
        return true;
    for (size_t i = 0; i < t->n; i++) {
        bool may = true;
        for (size_t c = 0; c < t->v[i].n_clauses && may; c++)
            may = clause_may_hold(&t->v[i].clauses[c], filter, filter_bits, chunk_is_ascii);
        if (may)
            return true;
    }
    return false;
}

bool line_test_can_skip(const struct line_test *t)
{
    if (t->negated)
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].n_clauses == 0)
            return false;
    return t->n > 0;
}
