/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u8 options (1 keep the others, 2 lines end at NUL so that they may hold \n, 4 the string
 * search ignores case), u8 which rows are selected, varint bytes of a pattern, pattern, lines.
 * Property: searching a whole chunk, for the pattern as a string and as a regex, keeps the rows
 * that asking line by line keeps. */
#include <assert.h>

#include "chunk/scan.h"

enum { MAX_LINES = 2000, MAX_PATTERN_BYTES = 60 };

static struct {
    struct buf blob;
    uint32_t start[MAX_LINES + 1];
    struct chunk_lines lines;
    struct regex_scratch *scratch;
} tools;

/* True when some line holds a \n. */
static bool lay_out(struct str_view text, char separator)
{
    bool newline = false;
    uint32_t rows = 0;
    buf_clear(&tools.blob);
    while (rows < MAX_LINES) {
        size_t end = sv_find_byte(text, separator);
        struct str_view line = sv_sub(text, 0, end);
        newline |= sv_find_byte(line, '\n') < line.len;
        tools.start[rows++] = (uint32_t)tools.blob.len;
        buf_put(&tools.blob, line);
        buf_put_u8(&tools.blob, '\n');
        if (line.len == text.len)
            break;
        text = sv_from(text, line.len + 1);
    }
    tools.start[rows] = (uint32_t)tools.blob.len;
    tools.lines = (struct chunk_lines){tools.blob.p, tools.blob.len, tools.start, rows};
    return newline;
}

static void select_rows(struct row_set *rows, uint8_t which)
{
    uint32_t n = tools.lines.rows;
    row_set_reset(rows, n);
    if (which < 64)
        row_set_add_range(rows, n * which / 256, n - n * which / 128);
    else
        for (uint32_t row = which % 7; row < n; row += 1 + which / 32)
            row_set_add(rows, row);
}

static void check(const struct row_set *got, const struct row_set *selected, const bool *hit,
                  enum scan_keep keep)
{
    for (uint32_t row = 0; row < got->n_rows; row++) {
        bool want = row_set_has(selected, row) && hit[row] == (keep == SCAN_KEEP_MATCHING);
        assert(row_set_has(got, row) == want);
    }
}

static void check_string(struct str_view text, enum substr_case how, const struct row_set *selected,
                         enum scan_keep keep)
{
    CLEANUP(row_set_deinit) struct row_set got = ROW_SET_INIT;
    bool hit[MAX_LINES];
    struct substr_needle n;
    substr_init(&n, text, how);
    for (uint32_t row = 0; row < tools.lines.rows; row++)
        hit[row] = substr_find_portable(&n, chunk_line(&tools.lines, row), 0) != SIZE_MAX;
    row_set_copy(&got, selected);
    scan_contains(&tools.lines, &n, 1, keep, &got);
    check(&got, selected, hit, keep);
    substr_deinit(&n);
}

static void check_regex(struct str_view pattern, bool newline, const struct row_set *selected,
                        enum scan_keep keep)
{
    CLEANUP(row_set_deinit) struct row_set got = ROW_SET_INIT;
    bool hit[MAX_LINES];
    struct regex *re;
    if (regex_compile(&re, pattern, REGEX_SEARCH, NULL) < 0)
        return;
    for (uint32_t row = 0; row < tools.lines.rows; row++)
        hit[row] = regex_matches(re, tools.scratch, chunk_line(&tools.lines, row));
    row_set_copy(&got, selected);
    scan_regex(&tools.lines, newline, re, tools.scratch, keep, &got);
    check(&got, selected, hit, keep);
    regex_unref(re);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader in = reader_of(sv((const char *)data, len));
    uint8_t options = rd_u8(&in), which = rd_u8(&in);
    struct str_view pattern = rd_str(&in, MAX_PATTERN_BYTES);
    struct str_view text = rd_bytes(&in, reader_left(&in));
    if (in.bad)
        return 0;
    if (!tools.scratch)
        tools.scratch = regex_scratch_new();
    CLEANUP(row_set_deinit) struct row_set selected = ROW_SET_INIT;
    enum scan_keep keep = options & 1 ? SCAN_KEEP_OTHERS : SCAN_KEEP_MATCHING;
    bool newline = lay_out(text, options & 2 ? 0 : '\n');
    select_rows(&selected, which);
    check_string(pattern, options & 4 ? SUBSTR_FOLD : SUBSTR_EXACT, &selected, keep);
    check_regex(pattern, newline, &selected, keep);
    return 0;
}
