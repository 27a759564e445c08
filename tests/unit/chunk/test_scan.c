/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk/scan.h"
#include "gen.h"

/* A blob laid out as a chunk decodes it. */
struct fixture {
    struct gen g;
    struct buf blob;
    uint32_t *start;
    size_t cap;
    struct chunk_lines lines;
    struct row_set rows, want;
    struct regex_scratch *scratch;
    bool has_newline;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->g.state = 99;
    f->scratch = regex_scratch_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    regex_scratch_free(f->scratch);
    arena_deinit(&f->g.a);
    buf_deinit(&f->blob);
    row_set_deinit(&f->rows);
    row_set_deinit(&f->want);
    free(f->start);
    free(f);
    return 0;
}

static void clear(struct fixture *f)
{
    buf_clear(&f->blob);
    arena_clear(&f->g.a);
    f->lines = (struct chunk_lines){NULL, 0, NULL, 0};
    f->has_newline = false;
}

static void add(struct fixture *f, struct str_view line)
{
    f->start = mem_grow(f->start, &f->cap, f->lines.rows + 2, sizeof *f->start);
    f->start[f->lines.rows++] = (uint32_t)f->blob.len;
    buf_put(&f->blob, line);
    buf_put_u8(&f->blob, '\n');
    f->start[f->lines.rows] = (uint32_t)f->blob.len;
    f->has_newline |= memchr(line.p, '\n', line.len) != NULL;
    f->lines.p = f->blob.p;
    f->lines.len = f->blob.len;
    f->lines.start = f->start;
}

/* Few different bytes, so that short needles hit often and also across line ends. */
static struct str_view dense_line(struct gen *g, bool newlines)
{
    static const char bytes[] = "aAbBkK\xc3\xa9\0-\n";
    size_t len = gen_below(g, 5) ? gen_below(g, 24) : 0;
    char *p = arena_alloc(&g->a, len);
    for (size_t i = 0; i < len; i++)
        p[i] = bytes[gen_below(g, newlines ? 11 : 10)];
    return sv(p, len);
}

static void add_random_lines(struct fixture *f, uint32_t n, bool newlines)
{
    clear(f);
    for (uint32_t i = 0; i < n; i++)
        add(f, dense_line(&f->g, newlines));
}

/* All, none, a range, every second or a few of the rows. */
static void select_some(struct fixture *f)
{
    uint32_t n = f->lines.rows, first = gen_below(&f->g, n);
    row_set_reset(&f->rows, n);
    switch (gen_below(&f->g, 5)) {
    case 0:
        row_set_add_range(&f->rows, 0, n);
        break;
    case 1:
        row_set_add_range(&f->rows, first, gen_below(&f->g, n - first + 1));
        break;
    case 2:
        for (uint32_t i = 0; i < n; i += 2)
            row_set_add(&f->rows, i);
        break;
    default:
        for (uint32_t i = gen_below(&f->g, 30); i < n; i += 1 + gen_below(&f->g, 30))
            row_set_add(&f->rows, i);
    }
}

static void assert_same_rows(const struct row_set *got, const struct row_set *want)
{
    assert_int_equal(got->n_rows, want->n_rows);
    for (uint32_t i = 0; i < want->n_rows; i++)
        if (row_set_has(got, i) != row_set_has(want, i))
            fail_msg("row %u is %d", i, (int)row_set_has(got, i));
    for (uint32_t i = want->n_rows; i < (want->n_rows + 63) / 64 * 64; i++)
        assert_false(row_set_has(got, i));
}

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool naive_contains(struct str_view line, struct str_view needle, enum substr_case how)
{
    for (size_t at = 0; at + needle.len <= line.len; at++) {
        size_t i = 0;
        while (i < needle.len && (how == SUBSTR_FOLD ? fold(line.p[at + i]) == fold(needle.p[i])
                                                     : line.p[at + i] == needle.p[i]))
            i++;
        if (i == needle.len)
            return true;
    }
    return false;
}

/* want = rows that stay when exactly the lines of `hit` match. */
static void expect(struct fixture *f, const bool *hit, enum scan_keep keep)
{
    row_set_copy(&f->want, &f->rows);
    for (uint32_t i = 0; i < f->lines.rows; i++)
        if (hit[i] != (keep == SCAN_KEEP_MATCHING))
            row_set_remove(&f->want, i);
}

static void test_needles_find_what_a_loop_over_lines_finds(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3000; round++) {
        uint32_t rows = 1 + gen_below(&f->g, round % 50 == 0 ? 2000 : 150);
        add_random_lines(f, rows, round % 2);
        select_some(f);
        struct substr_needle needles[3];
        struct str_view texts[3];
        size_t n = 1 + gen_below(&f->g, 3);
        for (size_t k = 0; k < n; k++) {
            texts[k] = dense_line(&f->g, true);
            texts[k].len = texts[k].len > 3 ? 1 + gen_below(&f->g, 3) : texts[k].len;
            substr_init(&needles[k], texts[k], gen_below(&f->g, 2) ? SUBSTR_FOLD : SUBSTR_EXACT);
        }
        bool *hit = mem_zalloc(rows, sizeof *hit);
        for (uint32_t i = 0; i < rows; i++)
            for (size_t k = 0; k < n; k++)
                hit[i] |= naive_contains(chunk_line(&f->lines, i), texts[k], needles[k].how);
        enum scan_keep keep = gen_below(&f->g, 2) ? SCAN_KEEP_MATCHING : SCAN_KEEP_OTHERS;
        expect(f, hit, keep);
        scan_contains(&f->lines, needles, n, keep, &f->rows);
        assert_same_rows(&f->rows, &f->want);
        for (size_t k = 0; k < n; k++)
            substr_deinit(&needles[k]);
        free(hit);
    }
}

static void test_a_regex_finds_what_a_loop_over_lines_finds(void **state)
{
    static const char *const patterns[] = {
        "aB",  "^a",   "a$",    "^$",      "(?i)ak",   "[^a]b",      "a.b",     "\\x00",
        "a|k", "\\bB", ".*b.*", "\\x{e9}", "\\s",      "(?s)a.b",    "\n",      "a\nb",
        "",    "-$",   "^[^-]", "(?i)K",   "(?m)^ab$", "b{2}|k{2,}", "\\PL\\pL"};
    struct fixture *f = *state;
    for (int round = 0; round < 4000; round++) {
        uint32_t rows = 1 + gen_below(&f->g, round % 50 == 0 ? 2000 : 150);
        add_random_lines(f, rows, round % 3 == 0);
        select_some(f);
        struct regex *re;
        const char *pattern = patterns[gen_below(&f->g, sizeof patterns / sizeof *patterns)];
        assert_int_equal(regex_compile(&re, sv_of(pattern), REGEX_SEARCH, NULL), 0);
        bool *hit = mem_zalloc(rows, sizeof *hit);
        for (uint32_t i = 0; i < rows; i++)
            hit[i] = regex_matches(re, f->scratch, chunk_line(&f->lines, i));
        enum scan_keep keep = gen_below(&f->g, 2) ? SCAN_KEEP_MATCHING : SCAN_KEEP_OTHERS;
        expect(f, hit, keep);
        scan_regex(&f->lines, f->has_newline, re, f->scratch, keep, &f->rows);
        assert_same_rows(&f->rows, &f->want);
        regex_unref(re);
        free(hit);
    }
}

static bool is_longer(void *ctx, struct str_view line)
{
    return line.len > *(size_t *)ctx;
}

static void test_any_test_of_a_line_is_asked_for_the_selected_rows_alone(void **state)
{
    struct fixture *f = *state;
    size_t limit = 9;
    for (int round = 0; round < 300; round++) {
        add_random_lines(f, 1 + gen_below(&f->g, 200), true);
        select_some(f);
        bool *hit = mem_zalloc(f->lines.rows, sizeof *hit);
        for (uint32_t i = 0; i < f->lines.rows; i++)
            hit[i] = chunk_line(&f->lines, i).len > limit;
        enum scan_keep keep = round % 2 ? SCAN_KEEP_MATCHING : SCAN_KEEP_OTHERS;
        expect(f, hit, keep);
        scan_each(&f->lines, is_longer, &limit, keep, &f->rows);
        assert_same_rows(&f->rows, &f->want);
        free(hit);
    }
}

static void test_time_keeps_the_half_open_interval(void **state)
{
    struct fixture *f = *state;
    const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -70, -1, 0, 1, 55, INT64_MAX - 1, INT64_MAX};
    enum { N_EDGES = sizeof edges / sizeof *edges };
    int64_t ts[200];
    for (int round = 0; round < 3000; round++) {
        uint32_t n = 1 + gen_below(&f->g, 200);
        for (uint32_t i = 0; i < n; i++)
            ts[i] = edges[gen_below(&f->g, N_EDGES)];
        int64_t from = edges[gen_below(&f->g, N_EDGES)], to = edges[gen_below(&f->g, N_EDGES)];
        row_set_reset(&f->rows, n);
        row_set_add_range(&f->rows, gen_below(&f->g, 2) ? 0 : n / 2, n - n / 2);
        row_set_copy(&f->want, &f->rows);
        for (uint32_t i = 0; i < n; i++)
            if (ts[i] < from || ts[i] >= to)
                row_set_remove(&f->want, i);
        scan_time(ts, from, to, &f->rows);
        assert_same_rows(&f->rows, &f->want);
    }
}

static void test_row_of_finds_the_line_of_every_byte_from_any_row_before(void **state)
{
    struct fixture *f = *state;
    add_random_lines(f, 120, true);
    for (uint32_t row = 0; row < f->lines.rows; row++)
        for (size_t at = f->start[row]; at < f->start[row + 1]; at++)
            for (uint32_t from = 0; from <= row; from++)
                assert_int_equal(scan_row_of(&f->lines, from, at), row);
}

static void test_sets_do_what_arrays_of_bools_do(void **state)
{
    struct fixture *f = *state;
    struct row_set a = ROW_SET_INIT, b = ROW_SET_INIT;
    for (int round = 0; round < 500; round++) {
        uint32_t n = 1 + gen_below(&f->g, 260), count = 0;
        bool x[260] = {false}, y[260] = {false};
        row_set_reset(&a, n);
        row_set_reset(&b, n);
        uint32_t first = gen_below(&f->g, n + 1), len = gen_below(&f->g, n - first + 1);
        row_set_add_range(&a, first, len);
        for (uint32_t i = first; i < first + len; i++)
            x[i] = true;
        for (uint32_t i = gen_below(&f->g, 70); i < n; i += 1 + gen_below(&f->g, 70)) {
            row_set_add(&b, i);
            y[i] = true;
        }
        int op = round % 3;
        (op == 0 ? row_set_and : op == 1 ? row_set_or : row_set_subtract)(&a, &b);
        uint32_t last = UINT32_MAX, next = row_set_next(&a, 0);
        for (uint32_t i = 0; i < n; i++) {
            bool want = op == 0 ? x[i] && y[i] : op == 1 ? x[i] || y[i] : x[i] && !y[i];
            assert_int_equal(row_set_has(&a, i), want);
            count += want;
            if (want) {
                assert_int_equal(next, i);
                next = row_set_next(&a, i + 1);
                last = i;
            }
            assert_int_equal(row_set_prev(&a, i), last);
        }
        assert_int_equal(next, UINT32_MAX);
        assert_int_equal(row_set_prev(&a, UINT32_MAX), last);
        assert_int_equal(row_set_count(&a), count);
    }
    row_set_deinit(&a);
    row_set_deinit(&b);
}

static void test_a_set_of_no_rows_is_harmless(void **state)
{
    (void)state;
    CLEANUP(row_set_deinit) struct row_set s = ROW_SET_INIT;
    row_set_reset(&s, 0);
    row_set_add_range(&s, 0, 0);
    assert_int_equal(row_set_count(&s), 0);
    assert_int_equal(row_set_next(&s, 0), UINT32_MAX);
    assert_int_equal(row_set_prev(&s, 5), UINT32_MAX);
    scan_time(NULL, 0, 1, &s);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_needles_find_what_a_loop_over_lines_finds),
        WITH_FIXTURE(test_a_regex_finds_what_a_loop_over_lines_finds),
        WITH_FIXTURE(test_any_test_of_a_line_is_asked_for_the_selected_rows_alone),
        WITH_FIXTURE(test_time_keeps_the_half_open_interval),
        WITH_FIXTURE(test_row_of_finds_the_line_of_every_byte_from_any_row_before),
        WITH_FIXTURE(test_sets_do_what_arrays_of_bools_do),
        cmocka_unit_test(test_a_set_of_no_rows_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
