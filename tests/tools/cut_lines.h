/* SPDX-License-Identifier: Apache-2.0 */
/* cut_lines.h - a block of lines for regex_match_lines. */
#pragma once
#include <stdlib.h>

#include "regex/regex.h"

/* A block cut at each \n; what stands behind the last one is a line too. */
struct cut_lines {
    struct buf text;
    uint32_t *start;
    uint64_t *wanted, *found;
    struct regex_lines lines;
};

static void cut_lines_deinit(struct cut_lines *c)
{
    buf_deinit(&c->text);
    free(c->start);
    free(c->wanted);
    free(c->found);
}

static inline struct str_view cut_line(const struct cut_lines *c, uint32_t i)
{
    return sv(c->text.p + c->start[i], c->start[i + 1] - 1 - c->start[i]);
}

static void cut_lines_init(struct cut_lines *c, struct str_view block)
{
    *c = (struct cut_lines){.text = BUF_INIT};
    buf_put(&c->text, block);
    if (block.len && block.p[block.len - 1] != '\n')
        buf_put_u8(&c->text, '\n');
    c->start = mem_zalloc(c->text.len + 1, sizeof *c->start);
    c->wanted = mem_zalloc(c->text.len / 64 + 1, sizeof *c->wanted);
    c->found = mem_zalloc(c->text.len / 64 + 1, sizeof *c->found);
    uint32_t n = 0;
    for (size_t i = 0; i < c->text.len; i++)
        if (c->text.p[i] == '\n')
            c->start[++n] = (uint32_t)i + 1;
    c->lines = (struct regex_lines){c->text.p, c->start, n};
}

static bool cut_line_found(const struct cut_lines *c, uint32_t i)
{
    return c->found[i >> 6] >> (i & 63) & 1;
}

/* Asks for every `every`-th line. */
static void cut_lines_match(struct cut_lines *c, const struct regex *re,
                            struct regex_scratch *scratch, uint32_t every)
{
    for (uint32_t i = 0; i < c->lines.n; i += every)
        c->wanted[i >> 6] |= UINT64_C(1) << (i & 63);
    regex_match_lines(re, scratch, &c->lines, c->wanted, c->found);
}
