/* SPDX-License-Identifier: Apache-2.0 */
/* What can be told of a chunk without reading it, and of rows without their lines. */
#include "base/clock.h"
#include "query/scan/scan_impl.h"
#include "store/view.h"

/* The test, where it asks for one plain label by one string and what it sees is the metadata key of
 * that name, unless the stream has it. */
static const struct label_instr *one_key_test(const struct label_test *t)
{
    const struct label_instr *i = label_test_one_string(t);
    if (!i || sv_starts_with(i->filter->name, SV("__error")) ||
        sv_ends_with(i->filter->name, SV("_extracted")))
        return NULL;
    return i;
}

/* ---- the mask of levels ---- */

static struct str_view level_text(int level)
{
    static const char *const texts[] = {"",      "trace",    "debug", "info",   "warn",
                                        "error", "critical", "fatal", "unknown"};
    return level < (int)(sizeof texts / sizeof texts[0]) ? sv_of(texts[level])
                                                         : (struct str_view){NULL, 0};
}

static bool some_level_passes(const struct query_worker *q, const struct label_instr *test,
                              uint16_t mask)
{
    for (int level = 0; level < 16; level++) {
        struct str_view text = level_text(level);
        if (mask >> level & 1 && (!text.p || label_instr_string(test, text, q->runner.scratch)))
            return true;
    }
    return false;
}

static bool streams_have(const struct chunk_scan *c, struct str_view name)
{
    const struct plan *p = c->w->scan->plan;
    for (uint32_t i = 0; i < c->t->n_strands; i++)
        if (labels_get(p->streams[c->part->strands[c->t->first_strand + i].stream].labels, name).p)
            return true;
    return false;
}

static bool levels_may_pass(const struct chunk_scan *c)
{
    const struct scanned_query *s = c->q->state;
    static const struct str_view key = {"detected_level", sizeof "detected_level" - 1};
    if (c->meta->flags & CHUNK_UNKNOWN_LEVEL)
        return true;
    for (size_t i = 0; i < s->n_label_tests; i++) {
        const struct label_instr *test = one_key_test(&s->label_tests[i]);
        if (test && sv_eq(test->filter->name, key) &&
            !some_level_passes(c->q, test, c->meta->level_mask) && !streams_have(c, key))
            return false;
    }
    return true;
}

/* ---- values that label filters ask for ---- */

bool scan_chunk_has_key(const struct chunk_scan *c, struct str_view name)
{
    const struct part *p = c->part->part;
    if (c->meta->section_bytes[CHUNK_SMH] == 0)
        return false;
    size_t lo = 0, hi = p->n_sm_keys; /* sorted */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = sv_cmp(p->sm_keys[mid].name, name);
        if (order == 0)
            return true;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return c->meta->flags & CHUNK_UNKNOWN_LEVEL; /* kept whole: its keys are not listed */
}

/* The label can only come from lines. */
static bool is_parsed(const struct chunk_scan *c, struct str_view label)
{
    return !scan_chunk_has_key(c, label) && !streams_have(c, label);
}

static bool values_may_be_in(const struct chunk_scan *c, struct str_view filter)
{
    const struct value_needles *needles = c->q->state->value_needles;
    if (c->meta->flags & CHUNK_BACKSLASH)
        return true;
    for (size_t i = 0; i < needles->n; i++)
        if (!value_needle_may_be_in(&needles->v[i], filter, c->meta->filter_bits,
                                    c->meta->flags & CHUNK_ASCII) &&
            is_parsed(c, needles->v[i].label))
            return false;
    return true;
}

void scan_narrow_by_values(const struct chunk_scan *c)
{
    const struct value_needles *needles = c->q->state->value_needles;
    bool backslash = c->meta->flags & CHUNK_BACKSLASH;
    for (size_t i = 0; i < needles->n; i++)
        if (is_parsed(c, needles->v[i].label))
            scan_contains(&c->lines, needles->v[i].texts, needles->v[i].n + backslash,
                          SCAN_KEEP_MATCHING, &c->w->rows);
}

/* ---- the filter of 5-grams ---- */

struct damage_place scan_place_of(const struct chunk_scan *c)
{
    const struct segment_info *info = &c->part->selected->segment->info;
    return (struct damage_place){info->uuid, info->key, c->part->selected->part_no,
                                 (uint32_t)(c->meta - c->part->part->chunks)};
}

/* One that cannot be read skips nothing. */
static int read_filter(const struct chunk_scan *c, struct str_view *ret, struct err *err)
{
    const struct damage_place at = scan_place_of(c);
    int r = open_segment_filter(c->part->open, at.part_no, at.chunk, ret, err);
    if (!damage_is(r))
        return r;
    *ret = SV_EMPTY;
    query_damage_note(c->w->scan->plan->env->source->segments, &at, "filter of ", sv_of(err->text));
    return 0;
}

static int filter_may_pass(const struct chunk_scan *c, bool *ret, struct err *err)
{
    const struct scanned_query *s = c->q->state;
    struct str_view filter;
    *ret = true;
    if (!s->can_skip || c->meta->filter_bits == 0)
        return 0;
    int64_t start_ns = clock_mono_ns();
    int r = read_filter(c, &filter, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < s->n_line_tests && filter.len && *ret; i++)
        *ret = line_test_may_pass(&s->line_tests[i], filter, c->meta->filter_bits,
                                  c->meta->flags & CHUNK_ASCII);
    if (*ret && filter.len)
        *ret = values_may_be_in(c, filter);
    c->w->stats.index_used_bloom_filters = true;
    c->w->stats.index_bloom_filter_s += (double)(clock_mono_ns() - start_ns) / NS_PER_S;
    return 0;
}

int scan_may_pass(const struct chunk_scan *c, bool *ret, struct err *err)
{
    *ret = true;
    if (!c->w->scan->plan->env->use_filters)
        return 0;
    *ret = levels_may_pass(c);
    return *ret ? filter_may_pass(c, ret, err) : 0;
}

/* ---- label tests on columns of metadata ---- */

/* Whether the header says that no row can pass: its values stand in the clear. */
static bool header_excludes(const struct query_worker *q, const struct label_instr *test,
                            const struct sm_header *h)
{
    const struct sm_key *key = sm_header_find(h, test->filter->name);
    if (h->opaque || (key && key->kind == SM_PLAIN))
        return false;
    if ((!key || !key->in_all_rows) && label_instr_string(test, SV_EMPTY, q->runner.scratch))
        return false;
    for (uint32_t i = 0; key && i < key->n_values; i++)
        if (label_instr_string(test, key->values[i], q->runner.scratch))
            return false;
    return true;
}

/* verdict[0] is that of an absent value. */
static void judge_values(const struct query_worker *q, const struct label_instr *test,
                         const struct sm_column *column, bool *verdict)
{
    verdict[0] = label_instr_string(test, SV_EMPTY, q->runner.scratch);
    for (uint32_t i = 0; i < column->n_values; i++)
        verdict[i + 1] = label_instr_string(test, column->values[i], q->runner.scratch);
}

static void narrow_run(const struct chunk_scan *c, const struct segment_run *run,
                       const struct sm_column *column, const bool *verdict)
{
    uint32_t end = run->first_row + run->rows;
    for (uint32_t row = row_set_next(&c->w->rows, run->first_row); row < end;
         row = row_set_next(&c->w->rows, row + 1))
        if (!verdict[column->values ? column->row_value[row] : 0])
            row_set_remove(&c->w->rows, row);
}

static void remove_run(struct row_set *rows, const struct segment_run *run)
{
    for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++)
        row_set_remove(rows, row);
}

static int narrow_by(const struct chunk_scan *c, const struct label_instr *test, struct err *err)
{
    const struct plan *p = c->w->scan->plan;
    const struct sm_header *h;
    struct sm_column column = {0};
    bool *verdict = NULL;
    int r = chunk_decoder_sm_header(c->w->decoder, &h, err);
    if (r < 0)
        return r;
    bool excluded = header_excludes(c->q, test, h);
    if (!excluded) {
        r = chunk_decoder_sm_column(c->w->decoder, test->filter->name, &column, err);
        if (r < 0)
            return r;
        verdict = mem_alloc((column.n_values + (size_t)1) * sizeof *verdict);
        judge_values(c->q, test, &column, verdict);
    }
    for (uint32_t i = 0; i < c->t->n_strands; i++) {
        const struct segment_run *run = &c->part->selected->runs[c->t->first_strand + i].run;
        uint32_t stream = c->part->strands[c->t->first_strand + i].stream;
        if (labels_get(p->streams[stream].labels, test->filter->name).p)
            continue;
        if (excluded)
            remove_run(&c->w->rows, run);
        else
            narrow_run(c, run, &column, verdict);
    }
    free(verdict);
    c->w->stats.store.query_referenced_structured_metadata = true;
    return 0;
}

int scan_narrow_by_labels(const struct chunk_scan *c, struct err *err)
{
    const struct scanned_query *s = c->q->state;
    for (size_t i = 0; i < s->n_label_tests; i++) {
        const struct label_instr *test = one_key_test(&s->label_tests[i]);
        int r = test && row_set_next(&c->w->rows, 0) != UINT32_MAX ? narrow_by(c, test, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
