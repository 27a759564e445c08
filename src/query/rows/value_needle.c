/* SPDX-License-Identifier: Apache-2.0 */
#include "query/rows/value_needle.h"

#include "base/bytes.h"
#include "regex/regex.h"

/* Labels from which on are only what parsers found: as long as no stage makes others. */
static bool keeps_parsed_values(enum stage_kind k)
{
    return k == STAGE_JSON || k == STAGE_LOGFMT || k == STAGE_REGEXP || k == STAGE_PATTERN ||
           k == STAGE_LINE_FILTER || k == STAGE_LABEL_FILTER || k == STAGE_DROP || k == STAGE_KEEP;
}

static bool is_parser(enum stage_kind k)
{
    return k == STAGE_JSON || k == STAGE_LOGFMT || k == STAGE_REGEXP || k == STAGE_PATTERN;
}

/* The longest part without a blank. */
static struct str_view word_of(struct str_view value)
{
    struct str_view best = SV_EMPTY;
    for (size_t from = 0, to; from < value.len; from = to + 1) {
        for (to = from; to < value.len && value.p[to] != ' ';)
            to++;
        if (to - from > best.len)
            best = sv_sub(value, from, to - from);
    }
    return best;
}

static void add_needle(struct value_needles *out, struct arena *a, struct str_view label,
                       const struct str_view *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (word_of(values[i]).len == 0)
            return; /* an empty value is that of any line */
    out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
    struct value_needle *to = &out->v[out->n++];
    *to = (struct value_needle){.label = label,
                                .texts = ARENA_ARRAY(a, struct substr_needle, n + 1),
                                .grams = ARENA_ARRAY(a, struct filter_needle, n),
                                .n = n};
    for (size_t i = 0; i < n; i++) {
        substr_init(&to->texts[i], word_of(values[i]), SUBSTR_EXACT);
        filter_needle_init(&to->grams[i], word_of(values[i]), false);
    }
    substr_init(&to->texts[n], SV("\\"), SUBSTR_EXACT);
}

/* A regex that is a choice of plain texts. */
static int add_regex(struct value_needles *out, struct arena *a, const struct label_filter *f,
                     struct err *err)
{
    struct regex *re;
    int r = regex_compile(&re, f->string.value, REGEX_FULL, err);
    if (r < 0)
        return r;
    const struct regex_literals *known = regex_literals(re);
    bool plain = known->shape == REGEX_SHAPE_EQUALS && !known->lits_or_empty;
    struct str_view *values = ARENA_ARRAY(a, struct str_view, known->n_lits + 1);
    for (size_t i = 0; i < known->n_lits; i++) {
        values[i] = arena_copy(a, known->lits[i].bytes);
        plain &= !known->lits[i].fold;
    }
    if (plain && known->n_lits)
        add_needle(out, a, f->name, values, known->n_lits);
    regex_unref(re);
    return 0;
}

/* All sides of `and` must hold; a tree may be deep, so it is walked with a list. */
static int add_filter(struct value_needles *out, struct arena *a, const struct label_filter *root,
                      struct err *err)
{
    const struct label_filter **todo = NULL;
    size_t n = 1, cap = 0;
    int r = 0;
    todo = mem_grow(todo, &cap, 1, sizeof(void *));
    todo[0] = root;
    while (n && r == 0) {
        const struct label_filter *f = todo[--n];
        if (f->kind == LABEL_FILTER_AND) {
            todo = mem_grow(todo, &cap, n + 2, sizeof(void *));
            todo[n++] = f->pair.left;
            todo[n++] = f->pair.right;
        } else if (f->kind != LABEL_FILTER_STRING || sv_starts_with(f->name, SV("__error")) ||
                   sv_ends_with(f->name, SV("_extracted"))) {
            continue; /* says nothing, or of a label that clashes decide */
        } else if (f->string.op == MATCH_EQ) {
            add_needle(out, a, f->name, &f->string.value, 1);
        } else if (f->string.op == MATCH_RE) {
            r = add_regex(out, a, f, err);
        }
    }
    free(todo);
    return r;
}

int value_needles_init(struct value_needles *out, const struct log_query *log, struct arena *a,
                       struct err *err)
{
    bool parsed = false;
    *out = (struct value_needles){0};
    for (size_t i = 0; i < log->n_stages && keeps_parsed_values(log->stages[i].kind); i++) {
        parsed |= is_parser(log->stages[i].kind);
        if (!parsed || log->stages[i].kind != STAGE_LABEL_FILTER)
            continue;
        int r = add_filter(out, a, log->stages[i].label_filter, err);
        if (r < 0)
            return r;
    }
    return 0;
}

void value_needles_deinit(struct value_needles *out)
{
    for (size_t i = 0; i < out->n; i++) {
        for (size_t k = 0; k <= out->v[i].n; k++)
            substr_deinit(&out->v[i].texts[k]);
        for (size_t k = 0; k < out->v[i].n; k++)
            filter_needle_deinit(&out->v[i].grams[k]);
    }
    free(out->v);
    *out = (struct value_needles){0};
}

bool value_needle_in_line(const struct value_needle *n, struct str_view line)
{
    for (size_t k = 0; k <= n->n; k++)
        if (substr_find(&n->texts[k], line, 0) != SIZE_MAX)
            return true;
    return false;
}

bool value_needle_may_be_in(const struct value_needle *n, struct str_view filter,
                            uint32_t filter_bits, bool chunk_is_ascii)
{
    for (size_t k = 0; k < n->n; k++)
        if (filter_may_contain(filter, filter_bits, chunk_is_ascii, &n->grams[k]))
            return true;
    return false;
}
