/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a pattern, a newline, a line.  Properties: literals and captures put together again are
 * how the line begins; a filter answers what its rules say, followed one by one. */
#include "emitted.h"
#include "lines/pattern.h"

struct rebuilt {
    struct str_view values[64];
    size_t n;
};

static bool take(void *ctx, struct str_view name, struct str_view value)
{
    struct rebuilt *r = ctx;
    assert(name.len > 0);
    r->values[r->n++] = value;
    return r->n < 64;
}

/* All captures are named here, so that every piece of the line is known. */
static void check_extract(const struct pattern *p, struct str_view line)
{
    struct rebuilt r = {.n = 0};
    pattern_extract(p, line, take, &r);
    struct str_view rest = line;
    size_t k = 0;
    for (size_t i = 0; i < p->n && k <= r.n; i++) {
        if (p->v[i].is_capture && (p->v[i].text.len == 0 || k == r.n))
            return;
        struct str_view piece = p->v[i].is_capture ? r.values[k++] : p->v[i].text;
        if (!sv_starts_with(rest, piece)) {
            assert(!p->v[i].is_capture && k == r.n); /* matching ended before this literal */
            return;
        }
        rest = sv_from(rest, piece.len);
    }
}

/* Straight from the rules of the filter. */
static bool filter_slowly(const struct pattern *p, struct str_view line)
{
    if (p->n == 0 || line.len == 0)
        return p->n == 0 && line.len == 0;
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].is_capture)
            continue;
        size_t found = sv_find(sv_from(line, at), p->v[i].text);
        if (found == SIZE_MAX || (i > 0 && found == 0))
            return false;
        at += found + p->v[i].text.len;
    }
    return p->v[p->n - 1].is_capture == (at < line.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view input = sv((const char *)data, len);
    struct str_view text = sv_sub(input, 0, sv_find_byte(input, '\n'));
    struct str_view line = sv_from(input, text.len + 1);
    struct err err = ERR_INIT;
    struct pattern p;
    if (pattern_parse(&a, text, PATTERN_EXTRACT, &p, &err) == 0)
        check_extract(&p, line);
    else
        assert(err.text[0]);
    if (pattern_parse(&a, text, PATTERN_FILTER, &p, &err) == 0)
        assert(pattern_matches(&p, line) == filter_slowly(&p, line));
    return 0;
}
