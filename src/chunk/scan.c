/* SPDX-License-Identifier: Apache-2.0 */
/* A search without \n in the needle may run over line ends: \n ends every line of the blob, so no
 * hit spans two.  Selections are cut into spans of rows, each searched as one text: the whole
 * range where at least every DENSE_ONE_IN-th row is wanted (hits in others are dropped), else
 * each run of neighbours. */
#include "chunk/scan.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

enum {
    DENSE_ONE_IN = 4,
    /* A search for a string is some twenty times faster than a regex. */
    MOST_CLAUSES = 3,
    MOST_LITERALS = 16, /* of a clause */
};

static size_t words_of(uint32_t n_rows)
{
    return ((size_t)n_rows + 63) / 64;
}

void row_set_deinit(struct row_set *s)
{
    free(s->bits);
    *s = ROW_SET_INIT;
}

void row_set_reset(struct row_set *s, uint32_t n_rows)
{
    size_t words = words_of(n_rows);
    if (s->cap_words < words)
        s->bits = mem_grow(s->bits, &s->cap_words, words, sizeof *s->bits);
    s->n_rows = n_rows;
    if (words)
        memset(s->bits, 0, words * sizeof *s->bits);
}

/* The bits of word `word` that lie in [first, end). */
static uint64_t range_mask(size_t word, uint32_t first, uint32_t end)
{
    uint64_t mask = UINT64_MAX;
    if (word == first >> 6)
        mask &= UINT64_MAX << (first & 63);
    if (word == (end - 1) >> 6)
        mask &= UINT64_MAX >> (63 - ((end - 1) & 63));
    return mask;
}

void row_set_add_range(struct row_set *s, uint32_t first, uint32_t n)
{
    assert(first <= s->n_rows && n <= s->n_rows - first);
    if (n == 0)
        return;
    for (size_t w = first >> 6; w <= (first + n - 1) >> 6; w++)
        s->bits[w] |= range_mask(w, first, first + n);
}

uint32_t row_set_count(const struct row_set *s)
{
    uint32_t n = 0;
    for (size_t w = 0; w < words_of(s->n_rows); w++)
        n += (uint32_t)__builtin_popcountll(s->bits[w]);
    return n;
}

uint32_t row_set_next(const struct row_set *s, uint32_t from)
{
    if (from >= s->n_rows)
        return UINT32_MAX;
    size_t w = from >> 6, n = words_of(s->n_rows);
    uint64_t bits = s->bits[w] & UINT64_MAX << (from & 63);
    while (bits == 0) {
        if (++w == n)
            return UINT32_MAX;
        bits = s->bits[w];
    }
    return (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
}

uint32_t row_set_prev(const struct row_set *s, uint32_t from)
{
    if (s->n_rows == 0)
        return UINT32_MAX;
    if (from >= s->n_rows)
        from = s->n_rows - 1;
    size_t w = from >> 6;
    uint64_t bits = s->bits[w] & UINT64_MAX >> (63 - (from & 63));
    while (bits == 0) {
        if (w-- == 0)
            return UINT32_MAX;
        bits = s->bits[w];
    }
    return (uint32_t)(w * 64) + 63 - (uint32_t)__builtin_clzll(bits);
}

/* The end of the run of selected rows that begins with the selected row `first`. */
static uint32_t run_end(const struct row_set *s, uint32_t first)
{
    size_t w = first >> 6, n = words_of(s->n_rows);
    uint64_t gaps = ~s->bits[w] & UINT64_MAX << (first & 63);
    while (gaps == 0 && ++w < n)
        gaps = ~s->bits[w];
    if (gaps == 0)
        return s->n_rows;
    uint32_t end = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(gaps);
    return end < s->n_rows ? end : s->n_rows;
}

void row_set_and(struct row_set *s, const struct row_set *other)
{
    assert(s->n_rows == other->n_rows);
    for (size_t w = 0; w < words_of(s->n_rows); w++)
        s->bits[w] &= other->bits[w];
}

void row_set_or(struct row_set *s, const struct row_set *other)
{
    assert(s->n_rows == other->n_rows);
    for (size_t w = 0; w < words_of(s->n_rows); w++)
        s->bits[w] |= other->bits[w];
}

void row_set_subtract(struct row_set *s, const struct row_set *other)
{
    assert(s->n_rows == other->n_rows);
    for (size_t w = 0; w < words_of(s->n_rows); w++)
        s->bits[w] &= ~other->bits[w];
}

void row_set_copy(struct row_set *to, const struct row_set *from)
{
    row_set_reset(to, from->n_rows);
    row_set_or(to, from);
}

void scan_time(const int64_t *ts_ns, int64_t from_ns, int64_t to_ns, struct row_set *rows)
{
    /* ts - from as an unsigned number is below the width exactly for times inside. */
    uint64_t width = to_ns > from_ns ? (uint64_t)to_ns - (uint64_t)from_ns : 0;
    for (size_t w = 0; w < words_of(rows->n_rows); w++) {
        if (rows->bits[w] == 0)
            continue;
        const int64_t *ts = ts_ns + w * 64;
        uint32_t n = rows->n_rows - (uint32_t)(w * 64);
        uint64_t inside = 0;
        for (uint32_t i = 0; i < (n < 64 ? n : 64); i++)
            inside |= (uint64_t)((uint64_t)ts[i] - (uint64_t)from_ns < width) << i;
        rows->bits[w] &= inside;
    }
}

uint32_t scan_row_of(const struct chunk_lines *lines, uint32_t from_row, size_t at)
{
    assert(at >= lines->start[from_row] && at < lines->len);
    /* start[low] <= at < start[high] once the gallop ends. */
    uint32_t low = from_row, step = 1, high = from_row + 1;
    while (lines->start[high] <= at) {
        low = high;
        step *= 2;
        high = lines->rows - high > step ? high + step : lines->rows;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->start[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void keep_found(struct row_set *rows, const struct row_set *found, enum scan_keep keep)
{
    if (keep == SCAN_KEEP_MATCHING)
        row_set_and(rows, found);
    else
        row_set_subtract(rows, found);
}

/* Adds to `found` the wanted rows of [first, end) that it finds. */
typedef void search_span_fn(void *ctx, const struct chunk_lines *lines, uint32_t first,
                            uint32_t end, const struct row_set *wanted, struct row_set *found);

static void search_spans(const struct chunk_lines *lines, const struct row_set *wanted,
                         search_span_fn *search, void *ctx, struct row_set *found)
{
    uint32_t first = row_set_next(wanted, 0);
    if (first == UINT32_MAX)
        return;
    uint32_t end = row_set_prev(wanted, wanted->n_rows) + 1;
    if (row_set_count(wanted) >= (end - first) / DENSE_ONE_IN) {
        search(ctx, lines, first, end, wanted, found);
        return;
    }
    while (first != UINT32_MAX) {
        end = run_end(wanted, first);
        search(ctx, lines, first, end, wanted, found);
        first = row_set_next(wanted, end);
    }
}

static void search_needle(void *ctx, const struct chunk_lines *lines, uint32_t first, uint32_t end,
                          const struct row_set *wanted, struct row_set *found)
{
    const struct substr_needle *needle = ctx;
    struct str_view text = {lines->p, lines->start[end]};
    for (uint32_t row = first; row < end; row = row_set_next(wanted, row + 1)) {
        size_t at = substr_find(needle, text, lines->start[row]);
        if (at == SIZE_MAX)
            return;
        row = scan_row_of(lines, row, at);
        if (row_set_has(wanted, row))
            row_set_add(found, row);
    }
}

static void each_line(const struct chunk_lines *lines, const struct row_set *wanted,
                      scan_line_fn *test, void *ctx, struct row_set *found)
{
    for (uint32_t row = row_set_next(wanted, 0); row != UINT32_MAX;
         row = row_set_next(wanted, row + 1))
        if (test(ctx, chunk_line(lines, row)))
            row_set_add(found, row);
}

static bool line_has_needle(void *ctx, struct str_view line)
{
    return substr_find(ctx, line, 0) != SIZE_MAX;
}

void scan_contains(const struct chunk_lines *lines, const struct substr_needle *needles, size_t n,
                   enum scan_keep keep, struct row_set *rows)
{
    assert(n >= 1 && rows->n_rows == lines->rows);
    CLEANUP(row_set_deinit) struct row_set found = ROW_SET_INIT;
    CLEANUP(row_set_deinit) struct row_set wanted = ROW_SET_INIT;
    row_set_reset(&found, rows->n_rows);
    for (size_t i = 0; i < n; i++) {
        void *needle = (void *)(uintptr_t)&needles[i]; /* the searches only read it */
        const struct row_set *left = rows;
        if (i > 0) { /* what an earlier needle found need not be looked at again */
            row_set_copy(&wanted, rows);
            row_set_subtract(&wanted, &found);
            left = &wanted;
        }
        if (memchr(needles[i].p, '\n', needles[i].len))
            each_line(lines, left, line_has_needle, needle, &found);
        else
            search_spans(lines, left, search_needle, needle, &found);
    }
    keep_found(rows, &found, keep);
}

/* Drops rows without the strings that every match contains. */
static void keep_candidates(const struct chunk_lines *lines, const struct regex_literals *l,
                            struct row_set *rows)
{
    struct substr_needle needles[MOST_LITERALS];
    for (size_t i = 0; i < l->n_clauses && i < MOST_CLAUSES; i++) {
        const struct regex_clause *c = &l->clauses[i];
        if (c->n_any > MOST_LITERALS)
            continue;
        for (size_t k = 0; k < c->n_any; k++)
            substr_init(&needles[k], c->any[k].bytes, c->any[k].fold ? SUBSTR_FOLD : SUBSTR_EXACT);
        scan_contains(lines, needles, c->n_any, SCAN_KEEP_MATCHING, rows);
        for (size_t k = 0; k < c->n_any; k++)
            substr_deinit(&needles[k]);
    }
}

struct regex_search {
    const struct regex *re;
    struct regex_scratch *scratch;
};

static bool line_matches(void *ctx, struct str_view line)
{
    const struct regex_search *s = ctx;
    return regex_matches(s->re, s->scratch, line);
}

void scan_regex(const struct chunk_lines *lines, bool chunk_has_newline, const struct regex *re,
                struct regex_scratch *scratch, enum scan_keep keep, struct row_set *rows)
{
    assert(rows->n_rows == lines->rows);
    struct regex_search search = {re, scratch};
    CLEANUP(row_set_deinit) struct row_set found = ROW_SET_INIT;
    CLEANUP(row_set_deinit) struct row_set wanted = ROW_SET_INIT;
    row_set_reset(&found, rows->n_rows);
    row_set_copy(&wanted, rows);
    keep_candidates(lines, regex_literals(re), &wanted);
    if (chunk_has_newline)
        each_line(lines, &wanted, line_matches, &search, &found);
    else
        regex_match_lines(re, scratch, &(struct regex_lines){lines->p, lines->start, lines->rows},
                          wanted.bits, found.bits);
    keep_found(rows, &found, keep);
}

void scan_each(const struct chunk_lines *lines, scan_line_fn *test, void *ctx, enum scan_keep keep,
               struct row_set *rows)
{
    assert(rows->n_rows == lines->rows);
    for (uint32_t row = row_set_next(rows, 0); row != UINT32_MAX; row = row_set_next(rows, row + 1))
        if (test(ctx, chunk_line(lines, row)) != (keep == SCAN_KEEP_MATCHING))
            row_set_remove(rows, row);
}
