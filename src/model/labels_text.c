/* SPDX-License-Identifier: Apache-2.0 */
/* The label text of a push, as Prometheus' lexer reads a metric: an optional name, then braces.
 * Errors carry line and column (in bytes, from 1) of the offending token. */
#include <stdio.h>

#include "base/ascii.h"
#include "base/go_quote.h"
#include "base/utf8.h"
#include "model/labels.h"

enum labels_token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_CHAR, TOKEN_BAD };

struct labels_token {
    enum labels_token_kind kind;
    size_t at;            /* in the text */
    struct str_view raw;  /* as written */
    struct str_view text; /* of a string: without quotes and escapes */
};

struct labels_parser {
    struct str_view text;
    size_t at;
    bool in_braces;
    struct labels_token token; /* the one looked at */
    struct arena *arena;
    struct err *err;
    struct label *v;
    size_t n, cap;
};

static int fail_at(struct labels_parser *p, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail_at(struct labels_parser *p, size_t at, const char *fmt, ...)
{
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < at; i++) {
        if (p->text.p[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    char why[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    p->token.kind = TOKEN_BAD;
    return err_set(p->err, ERR_INVALID, "%zu:%zu: parse error: %s", line, at - line_start + 1, why);
}

static bool is_name_start(char c)
{
    return ascii_is_letter(c) || c == '_';
}

static void skip_blanks(struct labels_parser *p)
{
    for (; p->at < p->text.len; p->at++) {
        char c = p->text.p[p->at];
        if (c == '#') { /* a comment, to the end of the line */
            p->at += sv_find_byte(sv_from(p->text, p->at), '\n');
            if (p->at == p->text.len)
                return;
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return;
        }
    }
}

/* ---- strings ---- */

static int lex_raw_string(struct labels_parser *p)
{
    size_t start = p->at;
    size_t len = sv_find_byte(sv_from(p->text, start + 1), '`');
    if (start + 1 + len == p->text.len)
        return fail_at(p, start, "unterminated raw string");
    p->token.text = sv_sub(p->text, start + 1, len);
    p->at = start + 1 + len + 1;
    return 0;
}

static int lex_quoted_string(struct labels_parser *p)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT;
    size_t start = p->at, from = start + 1;
    char quote = p->text.p[start];
    bool escaped = false;
    for (size_t at = from;; at++) {
        if (at >= p->text.len || p->text.p[at] == '\n')
            return fail_at(p, start, "unterminated quoted string");
        char c = p->text.p[at];
        if (c != quote && c != '\\')
            continue;
        struct str_view run = sv_sub(p->text, from, at - from);
        if (c == quote) {
            if (escaped)
                buf_put(&plain, run);
            p->token.text = escaped ? arena_copy(p->arena, buf_view(&plain)) : run;
            p->at = at + 1;
            return 0;
        }
        buf_put(&plain, run);
        escaped = true;
        char meant[GO_ESCAPE_BYTES];
        size_t n_meant = 0, n = go_unescape(sv_from(p->text, at + 1), quote, meant, &n_meant);
        if (n_meant == 0)
            return fail_at(p, start,
                           at + 1 < p->text.len ? "unknown escape sequence"
                                                : "escape sequence not terminated");
        buf_put_bytes(&plain, meant, n_meant);
        at += n;
        from = at + 1;
    }
}

/* ---- tokens ---- */

static int lex_unexpected(struct labels_parser *p)
{
    uint32_t c;
    struct str_view rest = sv_from(p->text, p->at);
    size_t n = utf8_decode(rest, &c);
    const char *where = p->in_braces ? " inside braces" : "";
    if (n == 0)
        return fail_at(p, p->at, "unexpected character%s: '\\x%02x'", where,
                       (unsigned char)rest.p[0]);
    return fail_at(p, p->at, "unexpected character%s: '%.*s'", where, (int)n, rest.p);
}

static int next_token(struct labels_parser *p)
{
    skip_blanks(p);
    p->token = (struct labels_token){TOKEN_END, p->at, SV_EMPTY, SV_EMPTY};
    if (p->at == p->text.len)
        return p->in_braces ? fail_at(p, p->at, "unexpected end of input inside braces") : 0;
    size_t start = p->at;
    char c = p->text.p[start];
    int r = 0;
    if (is_name_start(c) || (c == ':' && !p->in_braces)) {
        p->token.kind = TOKEN_NAME;
        while (p->at < p->text.len &&
               (is_name_start(p->text.p[p->at]) || ascii_is_digit(p->text.p[p->at]) ||
                (p->text.p[p->at] == ':' && !p->in_braces)))
            p->at++;
    } else if (c == '"' || c == '\'' || c == '`') {
        p->token.kind = TOKEN_STRING;
        r = c == '`' ? lex_raw_string(p) : lex_quoted_string(p);
    } else if (strchr("{},=", c) && c != 0) {
        p->token.kind = TOKEN_CHAR;
        p->at++;
        if (c == '=' && p->at < p->text.len && p->text.p[p->at] == '~')
            p->at++;
    } else if (c == '!' && p->at + 1 < p->text.len && strchr("=~", p->text.p[p->at + 1]) &&
               p->text.p[p->at + 1] != 0) {
        p->token.kind = TOKEN_CHAR;
        p->at += 2;
    } else {
        return lex_unexpected(p);
    }
    p->token.raw = sv_sub(p->text, start, p->at - start);
    return r;
}

static bool token_is(const struct labels_parser *p, char c)
{
    return p->token.kind == TOKEN_CHAR && p->token.raw.len == 1 && p->token.raw.p[0] == c;
}

static int fail_unexpected(struct labels_parser *p, const char *expected)
{
    struct str_view shown = sv_sub(p->token.raw, 0, 100);
    const char *where = p->in_braces ? " in label set" : "";
    const char *sep = expected ? ", expected " : "";
    if (!expected)
        expected = "";
    switch (p->token.kind) {
    case TOKEN_END:
        return fail_at(p, p->token.at, "unexpected end of input%s%s%s", where, sep, expected);
    case TOKEN_NAME:
        return fail_at(p, p->token.at, "unexpected identifier \"%.*s\"%s%s%s", SV_ARG(shown), where,
                       sep, expected);
    case TOKEN_STRING:
        return fail_at(p, p->token.at, "unexpected string %.*s%s%s%s", SV_ARG(shown), where, sep,
                       expected);
    default:
        return fail_at(p, p->token.at, "unexpected \"%.*s\"%s%s%s", SV_ARG(shown), where, sep,
                       expected);
    }
}

/* ---- label set ---- */

static int add_label(struct labels_parser *p, struct str_view name, struct str_view value)
{
    if (value.len == 0)
        return 0; /* an empty label is an absent one */
    if (!labels_is_name(name))
        return fail_at(p, p->token.at, "invalid label name: \"%.*s\"",
                       SV_ARG(sv_sub(name, 0, 100)));
    if (p->n == LABELS_MAX_PAIRS)
        return err_set(p->err, ERR_INVALID, "more than %d labels", LABELS_MAX_PAIRS);
    p->v = arena_grow(p->arena, p->v, &p->cap, p->n + 1, sizeof *p->v);
    p->v[p->n++] = (struct label){name, value};
    return 0;
}

/* name = "value", or "metric name" alone. */
static int parse_item(struct labels_parser *p)
{
    bool quoted = p->token.kind == TOKEN_STRING;
    if (p->token.kind != TOKEN_NAME && !quoted)
        return fail_unexpected(p, "identifier or \"}\"");
    struct str_view name = quoted ? p->token.text : p->token.raw;
    int r = next_token(p);
    if (r < 0)
        return r;
    if (quoted && (token_is(p, ',') || token_is(p, '}')))
        return add_label(p, SV("__name__"), name);
    if (!token_is(p, '='))
        return fail_unexpected(p, "\"=\"");
    r = next_token(p);
    if (r < 0)
        return r;
    if (p->token.kind != TOKEN_STRING)
        return fail_unexpected(p, "string");
    r = add_label(p, name, p->token.text);
    return r < 0 ? r : next_token(p);
}

static int parse_braces(struct labels_parser *p)
{
    p->in_braces = true;
    int r = next_token(p);
    while (r == 0 && !token_is(p, '}')) {
        r = parse_item(p);
        if (r < 0 || token_is(p, '}'))
            break;
        if (!token_is(p, ','))
            return fail_unexpected(p, "\",\" or \"}\"");
        r = next_token(p);
    }
    p->in_braces = false;
    return r < 0 ? r : next_token(p);
}

int labels_parse(struct arena *a, struct str_view text, struct label **ret, size_t *ret_n,
                 struct err *err)
{
    if (text.len > LABELS_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "label text of %zu bytes, limit: %d bytes", text.len,
                       LABELS_MAX_BYTES);
    struct labels_parser p = {.text = text, .arena = a, .err = err};
    int r = next_token(&p);
    if (r == 0 && p.token.kind == TOKEN_NAME) {
        r = add_label(&p, SV("__name__"), p.token.raw);
        if (r == 0)
            r = next_token(&p);
    }
    if (r == 0 && token_is(&p, '{'))
        r = parse_braces(&p);
    if (r == 0 && p.token.kind != TOKEN_END)
        r = fail_unexpected(&p, NULL);
    if (r < 0)
        return r;
    labels_sort(p.v, p.n, NULL);
    *ret = p.v;
    *ret_n = p.n;
    return 0;
}
