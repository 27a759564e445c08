/* SPDX-License-Identifier: Apache-2.0 */
/* Captures and literals alternate, so matching is a search for the next literal, from left to
 * right, without going back: linear in the line. */
#include "lines/pattern.h"

#include "base/ascii.h"
#include "model/name_list.h"

static bool is_name_char(char c, bool first)
{
    return ascii_is_word(c) && !(first && ascii_is_digit(c));
}

/* Bytes of the capture that `text` starts with, 0 when it starts with none. */
static size_t capture_bytes(struct str_view text)
{
    size_t n = 1;
    if (text.len < 3 || text.p[0] != '<')
        return 0;
    while (n < text.len && is_name_char(text.p[n], n == 1))
        n++;
    return n > 1 && n < text.len && text.p[n] == '>' ? n + 1 : 0;
}

static size_t literal_bytes(struct str_view text)
{
    size_t n = 0;
    while (n < text.len && capture_bytes(sv_from(text, n)) == 0)
        n++;
    return n;
}

/* Fills v, which may be NULL to count only. */
static size_t split(struct str_view text, struct pattern_token *v)
{
    size_t n = 0;
    for (struct str_view rest = text; rest.len; n++) {
        size_t bytes = capture_bytes(rest);
        bool is_capture = bytes > 0;
        if (!is_capture)
            bytes = literal_bytes(rest);
        if (v) {
            struct str_view name = sv_sub(rest, 1, bytes - 2);
            v[n].is_capture = is_capture;
            v[n].text =
                !is_capture ? sv_sub(rest, 0, bytes) : (sv_eq(name, SV("_")) ? SV_EMPTY : name);
        }
        rest = sv_from(rest, bytes);
    }
    return n;
}

static struct str_view shown_name(const struct pattern_token *t)
{
    return t->text.len ? sv_sub(t->text, 0, 200) : SV("_");
}

static int check_names(struct arena *a, const struct pattern *p, enum pattern_use use,
                       struct err *err)
{
    struct str_view *names = ARENA_ARRAY(a, struct str_view, p->n + 1);
    struct str_view duplicate;
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].is_capture && p->v[i].text.len)
            names[n++] = p->v[i].text;
    if (use == PATTERN_FILTER && n > 0)
        return err_set(err, ERR_INVALID, "named captures are not allowed: found '<%.*s>'",
                       SV_ARG(sv_sub(names[0], 0, 200)));
    if (use == PATTERN_EXTRACT && n == 0)
        return err_set(err, ERR_INVALID, "at least one capture is required");
    if (names_duplicate((struct name_list){names, n}, &duplicate))
        return err_set(err, ERR_INVALID, "duplicate capture name (%.*s): invalid expression",
                       SV_ARG(sv_sub(duplicate, 0, 200)));
    return 0;
}

int pattern_parse(struct arena *a, struct str_view text, enum pattern_use use, struct pattern *ret,
                  struct err *err)
{
    if (text.len == 0 && use == PATTERN_EXTRACT)
        return err_set(err, ERR_INVALID, "the expression is empty");
    size_t n = split(text, NULL);
    struct pattern_token *v = ARENA_ARRAY(a, struct pattern_token, n);
    split(text, v);
    struct pattern p = {v, n};
    int r = check_names(a, &p, use, err);
    if (r < 0)
        return r;
    for (size_t i = 1; i < n; i++)
        if (v[i].is_capture && v[i - 1].is_capture)
            return err_set(err, ERR_INVALID,
                           "found consecutive capture '<%.*s><%.*s>': invalid expression",
                           SV_ARG(shown_name(&v[i - 1])), SV_ARG(shown_name(&v[i])));
    *ret = p;
    return 0;
}

bool pattern_matches(const struct pattern *p, struct str_view line)
{
    if (p->n == 0 || line.len == 0)
        return p->n == 0 && line.len == 0;
    struct str_view rest = line;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].is_capture)
            continue;
        size_t at = sv_find(rest, p->v[i].text);
        if (at == SIZE_MAX || (i > 0 && at == 0))
            return false;
        rest = sv_from(rest, at + p->v[i].text.len);
    }
    return p->v[p->n - 1].is_capture == (rest.len > 0);
}

/* Literals are short: their first byte, then the rest, is quicker than a search that prepares. */
static size_t find_literal(struct str_view line, struct str_view literal)
{
    enum { SHORT = 8 };
    if (literal.len > SHORT)
        return sv_find(line, literal);
    for (size_t at = 0; at + literal.len <= line.len; at++) {
        at += sv_find_byte(sv_from(line, at), literal.p[0]);
        if (at + literal.len > line.len)
            break;
        if (memcmp(line.p + at, literal.p, literal.len) == 0)
            return at;
    }
    return SIZE_MAX;
}

void pattern_extract(const struct pattern *p, struct str_view line, emit_fn *emit, void *ctx)
{
    size_t i = 0;
    if (line.len == 0)
        return;
    if (!p->v[0].is_capture) {
        if (!sv_starts_with(line, p->v[0].text))
            return;
        line = sv_from(line, p->v[0].text.len);
        i = 1;
    }
    for (; i < p->n; i += 2) { /* a capture, and the literal after it if there is one */
        size_t end = i + 1 < p->n ? find_literal(line, p->v[i + 1].text) : SIZE_MAX;
        struct str_view value = sv_sub(line, 0, end);
        if (p->v[i].text.len && !emit(ctx, p->v[i].text, value))
            return;
        if (end == SIZE_MAX)
            return;
        line = sv_from(line, end + p->v[i + 1].text.len);
    }
}
