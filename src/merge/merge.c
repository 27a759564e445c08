/* SPDX-License-Identifier: Apache-2.0 */
/* Up to 32 segments hold parts of the same tenant and period, each with its own chunks: columns of
 * many streams' rows, compressed.  One part shall come of them, with the same set of entries a
 * stream, in order of time, in few large chunks.  Decoding and encoding everything would do, and
 * costs many times what copying bytes does; but a chunk can be copied only as a whole, with the
 * rows of all its streams, and a row that is copied cannot be put into order with others or be
 * found to be a repeat.  So, one period after the other, in three passes over the directories,
 * which say which rows of which stream stand in which chunk:
 *   1. Which chunks may be copied: those near full size (small ones are what a merge is to end) of
 *      which no run overlaps in time a run of the same stream in another source, and so can neither
 *      be mixed with it nor repeat one of its entries; and all of them where one source alone has
 *      the part.
 *   2. The copies.  They come first since a copy ends the chunk in work: between streams it would
 *      cut the new chunks into small ones.
 *   3. The streams in label order: copied runs by reference, the runs between them decoded, put
 *      into order and written.  A source's streams stand in its chunks in the same order, so each
 *      chunk is decoded once, and each source has one decoded at a time.
 * Order: by time; of equal times the earlier source first, then the earlier run, since sources come
 * in order of arrival.  A copied run is written when all decoded entries before (its first time,
 * its arrival) are.  Runs of one source that touch at one time are in order already and count as
 * not overlapping; of two sources they overlap, because the same entry may stand in both.
 * Repeats are told by a hash of time, line and metadata among entries of one time (repeats.h), and
 * forgotten between streams: equal lines of two streams are two entries.
 * What must hold: each row of each source is in the new part or an exact repeat of one that is; no
 * run says times that its rows do not have; a source that does not check ends the merge with
 * ERR_CORRUPT, before anything of it lives. */
#include "merge/merge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "chunk/segment.h"
#include "merge/repeats.h"

enum { FULL_SHARE = 2 /* a chunk over target / FULL_SHARE is worth keeping */ };
#define NOT_COPIED UINT32_MAX
#define MAY_COPY (UINT32_MAX - 1) /* during the first pass */

struct merge_source {
    const struct segment *segment;
    struct part *part; /* NULL: nothing in this period */
    struct part_source place;
    struct chunk_source chunks;
    struct chunk_decoder *decoder; /* made when first needed */
    const struct entry *rows;      /* of the chunk it stands at */
    uint32_t decoded;              /* its number; UINT32_MAX: none */
    uint32_t *copied;              /* chunk -> its number in the new part, or one of the above */
    size_t cap_copied;
    uint32_t next_stream;
};

/* A run of the stream in work. */
struct sourced_run {
    struct segment_run run;
    uint32_t source, order; /* order of arrival among the stream's runs */
};

/* Where a source's decoded runs of the stream stand. */
struct merge_cursor {
    uint32_t at, row; /* in decoded[], and in the run there */
    uint32_t end;     /* runs of this source end before decoded[end] */
};

struct merge {
    struct merge_source sources[MERGE_MAX_SOURCES];
    size_t n_sources;
    struct sourced_run *runs;    /* by (first time, arrival) */
    struct sourced_run *decoded; /* those not copied, by arrival */
    size_t n_runs, n_decoded, cap_runs, cap_decoded;
    struct merge_cursor cursors[MERGE_MAX_SOURCES];
    struct repeats repeats;
    struct buf payload, filter;
    struct merge_counts counts;
    uint64_t peak_bytes;
};

struct merge *merge_new(void)
{
    struct merge *m = mem_zalloc(1, sizeof *m);
    repeats_init(&m->repeats);
    return m;
}

void merge_free(struct merge *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < MERGE_MAX_SOURCES; i++) {
        part_close(m->sources[i].part);
        chunk_decoder_free(m->sources[i].decoder);
        free(m->sources[i].copied);
    }
    free(m->runs);
    free(m->decoded);
    repeats_deinit(&m->repeats);
    buf_deinit(&m->payload);
    buf_deinit(&m->filter);
    free(m);
}

struct merge_counts merge_counts(const struct merge *m)
{
    return m->counts;
}

static void note_peak(struct merge *m)
{
    uint64_t sum = sizeof *m + (m->cap_runs + m->cap_decoded) * sizeof *m->runs + m->payload.cap +
                   m->filter.cap + repeats_mem_bytes(&m->repeats);
    for (size_t i = 0; i < MERGE_MAX_SOURCES; i++) {
        const struct merge_source *s = &m->sources[i];
        sum += s->cap_copied * sizeof *s->copied + (s->part ? s->part->mem_bytes : 0) +
               (s->decoder ? chunk_decoder_mem_bytes(s->decoder) : 0);
    }
    m->peak_bytes = sum > m->peak_bytes ? sum : m->peak_bytes;
}

uint64_t merge_peak_bytes(struct merge *m)
{
    uint64_t peak = m->peak_bytes;
    m->peak_bytes = 0;
    note_peak(m);
    return peak > m->peak_bytes ? peak : m->peak_bytes;
}

/* ---- the streams of all sources, in label order ---- */

static int by_time(const void *a, const void *b)
{
    const struct sourced_run *x = a, *y = b;
    if (x->run.min_ts_ns != y->run.min_ts_ns)
        return x->run.min_ts_ns < y->run.min_ts_ns ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static const struct segment_stream *peek_stream(const struct merge_source *s)
{
    return s->part && s->next_stream < s->part->n_streams ? &s->part->streams[s->next_stream]
                                                          : NULL;
}

static void rewind_streams(struct merge *m)
{
    for (size_t i = 0; i < m->n_sources; i++)
        m->sources[i].next_stream = 0;
}

static void take_runs(struct merge *m, uint32_t source, const struct segment_stream *st)
{
    m->runs = mem_grow(m->runs, &m->cap_runs, m->n_runs + st->n_runs, sizeof(struct sourced_run));
    for (uint32_t i = 0; i < st->n_runs; i++) {
        m->runs[m->n_runs] = (struct sourced_run){m->sources[source].part->runs[st->first_run + i],
                                                  source, (uint32_t)m->n_runs};
        m->n_runs++;
    }
}

/* 1: *ret_labels and runs hold the next one; 0: there is none. */
static int next_stream(struct merge *m, struct str_view *ret_labels, struct err *err)
{
    const struct segment_stream *least = NULL;
    for (size_t i = 0; i < m->n_sources; i++) {
        const struct segment_stream *st = peek_stream(&m->sources[i]);
        if (st && (!least || sv_cmp(st->labels, least->labels) < 0))
            least = st;
    }
    if (!least)
        return 0;
    m->n_runs = 0;
    for (uint32_t i = 0; i < m->n_sources; i++) {
        struct merge_source *s = &m->sources[i];
        const struct segment_stream *st = peek_stream(s);
        if (!st || !sv_eq(st->labels, least->labels))
            continue;
        take_runs(m, i, st);
        s->next_stream++;
        const struct segment_stream *after = peek_stream(s);
        if (after && sv_cmp(after->labels, st->labels) <= 0)
            return err_set(err, ERR_CORRUPT, "merge: streams of a source are not in label order");
    }
    if (m->n_runs > 1)
        qsort(m->runs, m->n_runs, sizeof *m->runs, by_time);
    *ret_labels = least->labels;
    return 1;
}

/* ---- first pass: which chunks to copy ---- */

static bool is_near_full(const struct chunk_meta *c)
{
    return c->raw_bytes >= CHUNK_TARGET_RAW_BYTES / FULL_SHARE ||
           c->rows >= CHUNK_MAX_ROWS / FULL_SHARE || c->sm_bytes >= CHUNK_MAX_SM_BYTES / FULL_SHARE;
}

static void forbid_copies(struct merge *m, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        m->sources[m->runs[i].source].copied[m->runs[i].run.chunk] = NOT_COPIED;
}

/* Runs that overlap in time are mixed.  Those of one source come in order already, so there an
 * equal time at their border is no overlap. */
static void forbid_overlaps(struct merge *m)
{
    size_t from = 0;
    int64_t end_ns = INT64_MIN;
    bool one_source = true;
    for (size_t i = 0; i < m->n_runs; i++) {
        const struct sourced_run *p = &m->runs[i];
        bool same = one_source && p->source == m->runs[from].source;
        if (i == from || p->run.min_ts_ns > end_ns || (p->run.min_ts_ns == end_ns && same)) {
            if (i - from > 1)
                forbid_copies(m, from, i);
            from = i;
            end_ns = p->run.max_ts_ns;
            one_source = true;
            continue;
        }
        one_source = same;
        end_ns = p->run.max_ts_ns > end_ns ? p->run.max_ts_ns : end_ns;
    }
    if (m->n_runs - from > 1)
        forbid_copies(m, from, m->n_runs);
}

static int choose_copies(struct merge *m, struct err *err)
{
    size_t n_with = 0;
    bool any = false;
    for (size_t i = 0; i < m->n_sources; i++)
        n_with += m->sources[i].part != NULL;
    for (size_t i = 0; i < m->n_sources; i++) {
        struct merge_source *s = &m->sources[i];
        if (!s->part)
            continue;
        s->copied = mem_grow(s->copied, &s->cap_copied, s->part->n_chunks, sizeof *s->copied);
        for (uint32_t c = 0; c < s->part->n_chunks; c++) {
            bool may = n_with == 1 || is_near_full(&s->part->chunks[c]);
            s->copied[c] = may ? MAY_COPY : NOT_COPIED;
            any |= may;
        }
    }
    struct str_view labels;
    int r = any && n_with > 1 ? 1 : 0;
    rewind_streams(m);
    while (r > 0 && (r = next_stream(m, &labels, err)) > 0)
        forbid_overlaps(m);
    return r;
}

/* ---- second pass: the copies ---- */

static int copy_chunks_of(struct merge *m, struct merge_source *s, struct segment_writer *w,
                          struct err *err)
{
    int r = 0;
    for (uint32_t c = 0; s->part && c < s->part->n_chunks && r == 0; c++) {
        if (s->copied[c] != MAY_COPY)
            continue;
        const struct chunk_meta *meta = &s->part->chunks[c];
        buf_clear(&m->payload);
        buf_clear(&m->filter);
        r = segment_read_chunk(&s->place, meta, &m->payload, &m->filter, err);
        if (r == 0)
            r = segment_writer_copy_chunk(w, meta, buf_view(&m->payload), buf_view(&m->filter),
                                          &s->copied[c], err);
        m->counts.copied_chunks++;
    }
    return r;
}

/* ---- third pass: the streams ---- */

/* The entry the cursor stands at; NULL behind the last.  Turns to another chunk where needed. */
static int peek_entry(struct merge *m, uint32_t source, const struct entry **ret, struct err *err)
{
    struct merge_cursor *c = &m->cursors[source];
    struct merge_source *s = &m->sources[source];
    *ret = NULL;
    if (c->at < c->end && c->row == m->decoded[c->at].run.rows) {
        c->at++;
        c->row = 0;
    }
    if (c->at == c->end)
        return 0;
    const struct segment_run *run = &m->decoded[c->at].run;
    if (s->decoded != run->chunk) {
        if (!s->decoder)
            s->decoder = chunk_decoder_new();
        s->decoded = UINT32_MAX;
        chunk_decoder_set(s->decoder, &s->chunks, &s->part->chunks[run->chunk]);
        int r = chunk_decoder_entries(s->decoder, &s->rows, err);
        if (r < 0)
            return r;
        s->decoded = run->chunk;
        m->counts.decoded_chunks++;
        note_peak(m);
    }
    *ret = &s->rows[run->first_row + c->row];
    return 0;
}

/* Decoded entries before (ts, order), the copied run that follows.  Of equal times the earlier
 * source comes first; within a source they are in order. */
static int put_entries_before(struct merge *m, struct segment_writer *w, int64_t ts_ns,
                              uint32_t order, struct err *err)
{
    for (;;) {
        const struct entry *least = NULL;
        uint32_t from = 0;
        for (uint32_t i = 0; i < m->n_sources; i++) {
            const struct entry *e;
            int r = peek_entry(m, i, &e, err);
            if (r < 0)
                return r;
            if (e && (!least || e->ts_ns < least->ts_ns)) {
                least = e;
                from = i;
            }
        }
        if (!least || least->ts_ns > ts_ns ||
            (least->ts_ns == ts_ns && m->decoded[m->cursors[from].at].order > order))
            return 0;
        m->cursors[from].row++;
        if (!repeats_add(&m->repeats, least)) {
            m->counts.repeats++;
            continue;
        }
        int r = segment_writer_add(w, least, err);
        if (r < 0)
            return r;
    }
}

static int by_arrival(const void *a, const void *b)
{
    const struct sourced_run *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static bool is_copied(const struct merge *m, const struct sourced_run *p)
{
    return m->sources[p->source].copied[p->run.chunk] != NOT_COPIED;
}

/* Sets the cursors to the runs that are not copied. */
static void list_decoded(struct merge *m)
{
    m->n_decoded = 0;
    m->decoded = mem_grow(m->decoded, &m->cap_decoded, m->n_runs, sizeof *m->decoded);
    for (size_t i = 0; i < m->n_runs; i++)
        if (!is_copied(m, &m->runs[i]))
            m->decoded[m->n_decoded++] = m->runs[i];
    if (m->n_decoded > 1)
        qsort(m->decoded, m->n_decoded, sizeof *m->decoded, by_arrival);
    uint32_t at = 0;
    for (uint32_t s = 0; s < m->n_sources; s++) {
        struct merge_cursor *c = &m->cursors[s];
        *c = (struct merge_cursor){.at = at};
        while (at < m->n_decoded && m->decoded[at].source == s)
            at++;
        c->end = at;
    }
}

static int write_stream(struct merge *m, struct str_view labels, struct segment_writer *w,
                        struct err *err)
{
    int r = segment_writer_stream(w, labels, err);
    list_decoded(m);
    repeats_clear(&m->repeats);
    for (size_t i = 0; i < m->n_runs && r == 0; i++) {
        const struct sourced_run *p = &m->runs[i];
        if (!is_copied(m, p))
            continue;
        r = put_entries_before(m, w, p->run.min_ts_ns, p->order, err);
        struct segment_run run = p->run;
        run.chunk = m->sources[p->source].copied[p->run.chunk];
        if (r == 0)
            r = segment_writer_run(w, &run, err);
    }
    return r < 0 ? r : put_entries_before(m, w, INT64_MAX, UINT32_MAX, err);
}

static int write_part(struct merge *m, struct str_view tenant, const struct segment_part *first,
                      struct segment_writer *w, struct err *err)
{
    int64_t len_ns = first->period_len_ns;
    for (size_t i = 0; i < m->n_sources; i++)
        if (m->sources[i].part && m->sources[i].part->info.period_len_ns > len_ns)
            len_ns = m->sources[i].part->info.period_len_ns;
    int r = choose_copies(m, err);
    if (r == 0)
        r = segment_writer_part(w, tenant, first->period_start_ns, len_ns, err);
    for (size_t i = 0; i < m->n_sources && r == 0; i++)
        r = copy_chunks_of(m, &m->sources[i], w, err);
    struct str_view labels;
    rewind_streams(m);
    while (r == 0 && (r = next_stream(m, &labels, err)) > 0)
        r = write_stream(m, labels, w, err);
    return r;
}

/* ---- the parts of a tenant ---- */

static void close_parts(struct merge *m)
{
    for (size_t i = 0; i < m->n_sources; i++) {
        part_close(m->sources[i].part);
        m->sources[i].part = NULL;
        m->sources[i].decoded = UINT32_MAX;
    }
}

static int open_part(struct merge_source *s, const struct segment_part *info, struct err *err)
{
    int r = part_open(&s->part, s->segment, info, err);
    if (r < 0)
        return r;
    s->place = part_source_of(&s->segment->source, s->part);
    s->chunks = chunk_source_of(&s->place);
    return 0;
}

/* The first part of the tenant at or behind the period start; NULL: none. */
static const struct segment_part *find_part(const struct segment *s, struct str_view tenant,
                                            int64_t start_ns)
{
    uint32_t low = 0, high = s->n_parts;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct segment_part *p = &s->parts[mid];
        int c = sv_cmp(p->tenant, tenant);
        if (c < 0 || (c == 0 && p->period_start_ns < start_ns))
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->n_parts && sv_eq(s->parts[low].tenant, tenant) ? &s->parts[low] : NULL;
}

/* Opens the parts of the earliest period from start_ns on; *ret_first NULL: there is none. */
static int open_period(struct merge *m, struct str_view tenant, int64_t start_ns,
                       const struct segment_part **ret_first, struct err *err)
{
    const struct segment_part *first = NULL;
    for (size_t i = 0; i < m->n_sources; i++) {
        const struct segment_part *p = find_part(m->sources[i].segment, tenant, start_ns);
        if (p && (!first || p->period_start_ns < first->period_start_ns))
            first = p;
    }
    int r = 0;
    for (size_t i = 0; i < m->n_sources && first && r == 0; i++) {
        const struct segment_part *p =
            segment_find_part(m->sources[i].segment, tenant, first->period_start_ns);
        if (p)
            r = open_part(&m->sources[i], p, err);
    }
    *ret_first = first;
    return r;
}

int merge_write_tenant(struct merge *m, struct segment *const *sources, size_t n_sources,
                       struct str_view tenant, struct segment_writer *w, struct err *err)
{
    assert(n_sources <= MERGE_MAX_SOURCES);
    m->n_sources = n_sources;
    for (size_t i = 0; i < n_sources; i++) {
        m->sources[i].segment = sources[i];
        m->sources[i].decoded = UINT32_MAX;
    }
    const struct segment_part *first = NULL;
    int64_t start_ns = INT64_MIN;
    int r = 0;
    do {
        r = open_period(m, tenant, start_ns, &first, err);
        if (r == 0 && first) {
            r = write_part(m, tenant, first, w, err);
            note_peak(m);
            start_ns = first->period_start_ns;
        }
        close_parts(m);
    } while (r == 0 && first && start_ns++ < INT64_MAX);
    return r < 0 ? err_context(err, r, "merge") : 0;
}
