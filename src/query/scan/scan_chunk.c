/* SPDX-License-Identifier: Apache-2.0 */
/* One chunk for one query after the other; columns are decoded when the first asks for them. */
#include "query/scan/scan_impl.h"

static const struct segment_run *run_of(const struct chunk_scan *c, uint32_t i)
{
    return &c->part->selected->runs[c->t->first_strand + i].run;
}

static const struct plan_strand *strand_of(const struct chunk_scan *c, uint32_t i)
{
    return &c->part->strands[c->t->first_strand + i];
}

static struct time_span span_of(const struct segment_run *run)
{
    return (struct time_span){run->min_ts_ns, run->max_ts_ns};
}

static bool is_wanted(const struct chunk_scan *c, uint32_t i)
{
    const struct plan_strand *strand = strand_of(c, i);
    return spans_touch(span_of(run_of(c, i)), c->q->state->q->within) &&
           !scan_drops_stream(c->q->state, strand->stream) && scan_wants_strand(c->q, strand);
}

/* ---- columns ---- */

static int need_ts(struct chunk_scan *c, struct err *err)
{
    return c->ts_ns ? 0 : chunk_decoder_ts(c->w->decoder, &c->ts_ns, err);
}

static int need_lengths(struct chunk_scan *c, struct err *err)
{
    return c->start ? 0 : chunk_decoder_starts(c->w->decoder, &c->start, err);
}

static int need_lines(struct chunk_scan *c, struct err *err)
{
    if (c->lines.start)
        return 0;
    int r = chunk_decoder_lines(c->w->decoder, &c->lines, err);
    c->start = r < 0 ? NULL : c->lines.start;
    return r;
}

/* The keys that matter to the query; none where the chunk can have none of them, so that nothing is
 * read. */
static int need_metadata(struct chunk_scan *c, struct err *err)
{
    static const struct name_list none = {NULL, 0};
    const struct name_list *names = c->q->state->metadata;
    bool any = !names;
    if (c->has_metadata)
        return 0;
    c->has_metadata = true;
    for (size_t i = 0; names && i < names->n && !any; i++)
        any = scan_chunk_has_key(c, names->v[i]);
    if (c->meta->section_bytes[CHUNK_SMH] == 0)
        any = false;
    if (any && names)
        c->w->stats.store.query_referenced_structured_metadata = true;
    return row_metadata_open(&c->q->metadata, c->w->decoder, c->meta->rows, any ? names : &none,
                             err);
}

static int need_all_metadata(struct chunk_scan *c, struct err *err)
{
    static const struct name_list none = {NULL, 0};
    if (c->has_all_metadata)
        return 0;
    c->has_all_metadata = true;
    return row_metadata_open(&c->w->all_metadata, c->w->decoder, c->meta->rows,
                             c->meta->section_bytes[CHUNK_SMH] ? NULL : &none, err);
}

static bool wants_lengths(const struct chunk_scan *c)
{
    const struct range_leaf *l = c->q->leaf;
    return l && (l->op == RANGE_BYTES || l->op == RANGE_BYTES_RATE);
}

static uint32_t length_of(const struct chunk_scan *c, uint32_t row)
{
    return c->start[row + 1] - c->start[row] - 1;
}

/* ---- rows for zones ---- */

static uint32_t next_row(const struct chunk_scan *c, uint32_t row)
{
    return c->all_rows ? row : row_set_next(&c->w->rows, row);
}

static int share_rows(struct chunk_scan *c, const struct plan_strand *strand,
                      const struct stretch *s, struct err *err)
{
    bool bare = scan_shares_bare(c->q);
    struct row_metadata *m = bare ? &c->q->metadata : &c->w->all_metadata;
    int r = bare ? need_lengths(c, err) : need_lines(c, err);
    if (r == 0)
        r = bare ? need_metadata(c, err) : need_all_metadata(c, err);
    if (r < 0)
        return r;
    struct entry *v = mem_alloc((s->to - s->from) * sizeof *v);
    size_t n = 0;
    for (uint32_t row = next_row(c, s->from); row < s->to; row = next_row(c, row + 1)) {
        if (!scan_wants_ts(c->q, c->ts_ns[row]))
            continue;
        v[n].ts_ns = c->ts_ns[row];
        v[n].line = bare ? sv("", length_of(c, row)) : chunk_line(&c->lines, row);
        v[n++].sm = row_metadata_encoded(m, row_metadata_set(m, row));
    }
    r = scan_share(c->q, strand, s->zone, v, n, err);
    c->gave = true;
    free(v);
    return r;
}

/* ---- rows one by one ---- */

static struct entry entry_of(struct chunk_scan *c, uint32_t row)
{
    struct row_metadata *m = &c->q->metadata;
    struct str_view line = SV_EMPTY;
    if (c->lines.start)
        line = chunk_line(&c->lines, row);
    else if (c->start)
        line = sv("", length_of(c, row));
    return (struct entry){c->ts_ns[row], line, row_metadata_encoded(m, row_metadata_set(m, row))};
}

static int one_row(struct chunk_scan *c, const struct plan_strand *strand, uint32_t row,
                   struct err *err)
{
    struct entry e = entry_of(c, row);
    int r = scan_row(c->q, strand->stream, row, &e, !c->q->state->metadata, err);
    if (r != SCAN_E_NEEDS_METADATA)
        return r;
    r = need_all_metadata(c, err);
    if (r < 0)
        return r;
    struct row_metadata *m = &c->w->all_metadata;
    e.sm = row_metadata_encoded(m, row_metadata_set(m, row));
    return scan_row(c->q, strand->stream, row, &e, true, err);
}

static int each_row(struct chunk_scan *c, const struct plan_strand *strand, const struct stretch *s,
                    struct err *err)
{
    bool backward = c->w->scan->backward;
    uint32_t row = backward ? row_set_prev(&c->w->rows, s->to - 1) : next_row(c, s->from);
    while (row < s->to && row >= s->from) {
        if (!scan_wants_ts(c->q, c->ts_ns[row]))
            return 0; /* later ones are worse still */
        int r = one_row(c, strand, row, err);
        if (r < 0)
            return r;
        if (backward && row == 0)
            return 0;
        row = backward ? row_set_prev(&c->w->rows, row - 1) : next_row(c, row + 1);
    }
    return 0;
}

/* ---- rows counted ---- */

static void turn_cell(struct query_worker *q, int64_t ts_ns)
{
    if (ts_ns < q->cell.min_ns || ts_ns > q->cell.max_ns)
        q->cell = range_leaf_cell(q->leaf, ts_ns);
}

/* All rows of a stretch that follow each other, by the cells they fall into. */
static int count_cells(struct chunk_scan *c, uint32_t series, const struct stretch *s,
                       struct err *err)
{
    bool bytes = wants_lengths(c);
    for (uint32_t row = s->from, end; row < s->to; row = end) {
        turn_cell(c->q, c->ts_ns[row]);
        end = scan_row_after(c->ts_ns, row, s->to, c->q->cell.max_ns);
        uint64_t n_bytes = bytes ? c->start[end] - c->start[row] - (end - row) : 0;
        int r = range_leaf_count_in(c->q->leaf, series, &c->q->cell, end - row, n_bytes, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int series_of_row(struct query_worker *q, const struct plan_strand *strand, uint32_t row,
                         uint32_t *ret, struct err *err)
{
    uint32_t set = row_metadata_set(&q->metadata, row);
    struct set_series *known = &q->set_series[set];
    if (known->stamp == q->set_stamp) {
        *ret = known->series;
        return 0;
    }
    int r =
        scan_static_series(q, strand->stream, row_metadata_encoded(&q->metadata, set), ret, err);
    *known = (struct set_series){q->set_stamp, *ret};
    return r;
}

static int count_rows(struct chunk_scan *c, const struct plan_strand *strand,
                      const struct stretch *s, struct err *err)
{
    struct query_worker *q = c->q;
    for (uint32_t row = next_row(c, s->from); row < s->to; row = next_row(c, row + 1)) {
        uint32_t series;
        int r = series_of_row(q, strand, row, &series, err);
        if (r < 0)
            return r;
        if (series == SERIES_DROPPED)
            continue;
        if (series == SERIES_ERROR) {
            r = one_row(c, strand, row, err);
        } else {
            turn_cell(q, c->ts_ns[row]);
            r = range_leaf_count_in(q->leaf, series, &q->cell, 1,
                                    wants_lengths(c) ? length_of(c, row) : 0, err);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* What sets stood for in the strand before is forgotten by a new stamp. */
static void forget_series_of_sets(struct query_worker *q)
{
    size_t n = q->metadata.n_sets, before = q->cap_set_series;
    if (n > before) {
        q->set_series = mem_grow(q->set_series, &q->cap_set_series, n, sizeof *q->set_series);
        memset(q->set_series + before, 0, (q->cap_set_series - before) * sizeof *q->set_series);
    }
    if (++q->set_stamp == 0) {
        memset(q->set_series, 0, q->cap_set_series * sizeof *q->set_series);
        q->set_stamp = 1;
    }
}

/* The series of all rows of the run, SERIES_UNKNOWN where they differ. */
static int series_of_run(struct chunk_scan *c, const struct plan_strand *strand, uint32_t *ret,
                         struct err *err)
{
    struct row_metadata *m = &c->q->metadata;
    *ret = SERIES_UNKNOWN;
    if (m->set || m->opaque)
        return 0;
    int r = scan_static_series(c->q, strand->stream, row_metadata_encoded(m, 0), ret, err);
    if (*ret == SERIES_ERROR)
        *ret = SERIES_UNKNOWN;
    return r;
}

/* ---- a run ---- */

static bool counts_whole(const struct chunk_scan *c, uint32_t i)
{
    const struct segment_run *run = run_of(c, i);
    struct time_span within = c->q->state->q->within;
    return c->all_rows && c->w->scan->plan->env->use_filters && strand_of(c, i)->n_zones == 0 &&
           run->min_ts_ns >= within.min_ns && run->max_ts_ns <= within.max_ns &&
           range_leaf_same_steps(c->q->leaf, run->min_ts_ns, run->max_ts_ns);
}

static int do_stretch(struct chunk_scan *c, const struct plan_strand *strand, uint32_t series,
                      const struct stretch *s, struct err *err)
{
    if (s->zone != SCAN_NO_ZONE)
        return share_rows(c, strand, s, err);
    c->gave = true;
    if (!c->q->state->is_static)
        return each_row(c, strand, s, err);
    return series != SERIES_UNKNOWN && c->all_rows ? count_cells(c, series, s, err)
                                                   : count_rows(c, strand, s, err);
}

static int scan_run_of_chunk(struct chunk_scan *c, uint32_t i, struct err *err)
{
    const struct segment_run *run = run_of(c, i);
    const struct plan_strand *strand = strand_of(c, i);
    uint32_t series = SERIES_UNKNOWN;
    int r = 0;
    if (c->q->state->is_static) {
        forget_series_of_sets(c->q);
        r = series_of_run(c, strand, &series, err);
        if (r < 0 || series == SERIES_DROPPED)
            return r;
        c->gave = true; /* a series */
        if (series != SERIES_UNKNOWN && counts_whole(c, i))
            return range_leaf_count(c->q->leaf, series, run->min_ts_ns, run->rows, run->line_bytes,
                                    err);
    }
    r = need_ts(c, err);
    if (r == 0 && wants_lengths(c))
        r = need_lengths(c, err);
    if (r < 0)
        return r;
    scan_cut(c->w, c->q, strand, c->ts_ns, run->first_row, run->first_row + run->rows);
    for (size_t k = 0; k < c->w->n_stretches && r == 0; k++)
        r = do_stretch(c, strand, series, scan_stretch(c->w, k), err);
    return r;
}

/* ---- a chunk ---- */

static int narrow_by_lines(struct chunk_scan *c, struct err *err)
{
    const struct scanned_query *s = c->q->state;
    int r = s->n_line_tests || s->value_needles->n ? need_lines(c, err) : 0;
    for (size_t i = 0; i < s->n_line_tests && r == 0; i++) {
        if (row_set_next(&c->w->rows, 0) == UINT32_MAX)
            break;
        line_test_scan(&s->line_tests[i], c->q->runner.scratch, &c->lines,
                       c->meta->flags & CHUNK_NEWLINE, &c->w->rows, c->w->tmp);
    }
    if (r == 0)
        scan_narrow_by_values(c);
    return r;
}

/* Selects the rows that pass what can be tested on columns. */
static int select_rows(struct chunk_scan *c, struct err *err)
{
    row_set_reset(&c->w->rows, c->meta->rows);
    for (uint32_t i = 0; i < c->t->n_strands; i++)
        if (is_wanted(c, i))
            row_set_add_range(&c->w->rows, run_of(c, i)->first_row, run_of(c, i)->rows);
    int r = scan_narrow_by_labels(c, err);
    if (r == 0 && row_set_next(&c->w->rows, 0) != UINT32_MAX)
        r = narrow_by_lines(c, err);
    return r;
}

static int scan_rows(struct chunk_scan *c, struct err *err)
{
    const struct scanned_query *s = c->q->state;
    int r = 0;
    c->all_rows = s->is_static && s->n_line_tests == 0;
    if (!c->all_rows) {
        r = select_rows(c, err);
        if (r < 0 || row_set_next(&c->w->rows, 0) == UINT32_MAX)
            return r;
        c->w->stats.store.post_filter_lines += row_set_count(&c->w->rows);
    }
    if (s->q->top || pipeline_reads(s->q->pipeline) & PIPELINE_READS_LINE)
        r = need_lines(c, err);
    if (r == 0)
        r = need_metadata(c, err);
    for (uint32_t i = 0; i < c->t->n_strands && r == 0; i++) {
        const struct segment_run *run = run_of(c, i);
        if (is_wanted(c, i) && next_row(c, run->first_row) < run->first_row + run->rows)
            r = scan_run_of_chunk(c, i, err);
    }
    return r;
}

static bool any_is_wanted(const struct chunk_scan *c)
{
    for (uint32_t i = 0; i < c->t->n_strands; i++)
        if (is_wanted(c, i))
            return true;
    return false;
}

static int scan_for(struct chunk_scan *c, bool *ret_may_pass, struct err *err)
{
    *ret_may_pass = any_is_wanted(c);
    int r = *ret_may_pass ? scan_may_pass(c, ret_may_pass, err) : 0;
    if (r == 0 && *ret_may_pass)
        r = scan_rows(c, err);
    for (uint32_t i = 0; i < c->t->n_strands && r == 0; i++)
        r = scan_arrive(c->q, strand_of(c, i), err);
    return r;
}

/* ---- damage ---- */

static int arrive_from(struct chunk_scan *c, size_t first_query, struct err *err)
{
    int r = 0;
    for (size_t k = first_query; k < c->w->scan->n_queries && r == 0; k++) {
        c->q = &c->w->queries[k];
        for (uint32_t i = 0; i < c->t->n_strands && r == 0; i++)
            r = scan_arrive(c->q, strand_of(c, i), err);
    }
    return r;
}

/* The chunk could not be read for that query: r < 0 says why.  What was given of it before goes
 * when all is done again without it. */
static int leave_out(struct chunk_scan *c, size_t query, int r, struct err *err)
{
    struct scan_job *s = c->w->scan;
    const struct query_env *env = s->plan->env;
    const struct damage_place at = scan_place_of(c);
    struct err why = *err;
    r = query_damage_meet(env->damage, env->source->segments, &at, r, sv_of(why.text), err);
    if (r < 0)
        return r;
    s->left_out[c->t - s->plan->tasks] = true;
    if (c->gave || s->is_second_round)
        atomic_store(&s->again, true);
    return arrive_from(c, query, err);
}

static uint64_t read_bytes(struct scan_worker *w)
{
    const struct chunk_counts *n = chunk_decoder_counts(w->decoder);
    uint64_t sum = 0;
    for (int i = 0; i < CHUNK_N_SECTIONS; i++)
        sum += n->read_bytes[i];
    return sum;
}

int scan_chunk(struct scan_worker *w, const struct plan_task *t, struct err *err)
{
    const struct plan_part *part = &w->scan->plan->parts[t->part];
    struct chunk_scan c = {.w = w, .t = t, .part = part};
    c.meta = &part->part->chunks[part->selected->runs[t->first_strand].run.chunk];
    uint64_t read_before = read_bytes(w);
    bool passed_one = false, may_pass;
    int r = 0;
    if (w->scan->left_out[t - w->scan->plan->tasks])
        return arrive_from(&c, 0, err);
    chunk_decoder_set(w->decoder, &part->source, c.meta);
    for (size_t i = 0; i < w->scan->n_queries; i++) {
        c.q = &w->queries[i];
        c.has_metadata = false;
        r = scan_for(&c, &may_pass, err);
        if (r < 0) {
            r = leave_out(&c, i, r, err);
            break;
        }
        passed_one |= may_pass;
    }
    w->stats.index_post_filter_chunks += passed_one;
    w->stats.store.total_chunks_downloaded += read_bytes(w) > read_before;
    w->stats.store.decompressed_lines += c.lines.start ? c.meta->rows : 0;
    return r;
}
