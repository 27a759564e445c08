/* SPDX-License-Identifier: Apache-2.0 */
#include "logql/template_lex.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/utf8.h"

struct lexer {
    struct arena *arena;
    struct str_view text;
    size_t at;
    uint32_t line;
    size_t line_start;
    unsigned parens;
    struct ttoken *tokens;
    size_t n, cap;
};

int terr(struct err *err, uint32_t line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_setv(err, ERR_INVALID, fmt, ap);
    va_end(ap);
    struct err inner = err ? *err : ERR_INIT;
    return err_set(err, ERR_INVALID, "template: line:%u: %s", line, inner.text);
}

static struct str_view rest(const struct lexer *x)
{
    return sv_from(x->text, x->at);
}

static void emit(struct lexer *x, enum ttoken_kind kind, size_t len)
{
    x->tokens = mem_grow(x->tokens, &x->cap, x->n + 1, sizeof *x->tokens);
    struct str_view text = sv_sub(x->text, x->at, len);
    x->tokens[x->n++] = (struct ttoken){kind, text, x->line, (uint32_t)(x->at - x->line_start)};
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] == '\n') {
            x->line++;
            x->line_start = x->at + i + 1;
        }
    x->at += len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(struct str_view s, size_t at, size_t *ret_len)
{
    uint32_t c;
    size_t n = utf8_decode(sv_from(s, at), &c);
    *ret_len = n;
    return n && (c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                 c >= 0x80);
}

static size_t word_length(struct str_view s)
{
    size_t at = 0, n;
    while (at < s.len && is_word(s, at, &n))
        at += n;
    return at;
}

/* Plain text up to the next {{ ; a trim marker after it takes the blanks at the text's end. */
static void lex_text(struct lexer *x, bool trim_left)
{
    struct str_view s = rest(x);
    size_t skip = 0;
    while (trim_left && skip < s.len && is_blank(s.p[skip]))
        skip++;
    size_t open = sv_find(s, SV("{{"));
    size_t end = open == SIZE_MAX ? s.len : open;
    if (skip > end)
        skip = end;
    emit(x, TT_TEXT, skip); /* counts lines; dropped below */
    x->n--;
    size_t len = end - skip;
    bool trims =
        open != SIZE_MAX && open + 3 < s.len && s.p[open + 2] == '-' && is_blank(s.p[open + 3]);
    size_t kept = len;
    while (trims && kept && is_blank(s.p[skip + kept - 1]))
        kept--;
    if (kept)
        emit(x, TT_TEXT, kept);
    if (len > kept) {
        emit(x, TT_TEXT, len - kept);
        x->n--;
    }
}

static int lex_quoted(struct lexer *x, char quote, enum ttoken_kind kind)
{
    struct str_view s = rest(x);
    for (size_t i = 1; i < s.len; i++) {
        if (s.p[i] == quote) {
            emit(x, kind, i + 1);
            return 0;
        }
        if (quote == '`')
            continue;
        if (s.p[i] == '\n')
            break;
        if (s.p[i] == '\\')
            i++;
    }
    return kind == TT_RAW ? -1 : kind == TT_CHAR ? -2 : -3;
}

static size_t number_length(struct str_view s)
{
    size_t i = s.len && (s.p[0] == '+' || s.p[0] == '-');
    for (size_t n; i < s.len; i++) {
        char before = i ? s.p[i - 1] : 0;
        bool exponent_sign = (s.p[i] == '+' || s.p[i] == '-') && strchr("eEpP", before) && before;
        if (!exponent_sign && s.p[i] != '.' && !is_word(s, i, &n))
            break;
    }
    return i;
}

static bool ends_operand(struct str_view s)
{
    return s.len == 0 || is_blank(s.p[0]) || strchr(".,|:)(}=", s.p[0]) ||
           sv_starts_with(s, SV("-}}"));
}

static int lex_field(struct lexer *x, enum ttoken_kind kind, struct err *err)
{
    size_t n = 1 + word_length(sv_from(rest(x), 1));
    struct str_view after = sv_from(rest(x), n);
    if (!ends_operand(after)) {
        uint32_t c = 0;
        size_t len = utf8_decode(after, &c);
        return terr(err, x->line, "bad character U+%04X '%.*s'", c, (int)len, after.p);
    }
    emit(x, n == 1 && kind == TT_FIELD ? TT_DOT : kind, n);
    return 0;
}

static int lex_operand(struct lexer *x, struct err *err)
{
    struct str_view s = rest(x);
    char c = s.p[0], next = s.len > 1 ? s.p[1] : 0;
    size_t n;
    if (c == '"' || c == '`' || c == '\'') {
        int r = lex_quoted(x, c, c == '"' ? TT_STRING : c == '`' ? TT_RAW : TT_CHAR);
        return r == 0 ? 0
                      : terr(err, x->line,
                             r == -1   ? "unterminated raw quoted string"
                             : r == -2 ? "unterminated character constant"
                                       : "unterminated quoted string");
    }
    if (c == '$')
        return lex_field(x, TT_VARIABLE, err);
    if (c == '.' && !(next >= '0' && next <= '9'))
        return lex_field(x, TT_FIELD, err);
    if ((c >= '0' && c <= '9') ||
        ((c == '+' || c == '-' || c == '.') && ((next >= '0' && next <= '9') || next == '.'))) {
        n = number_length(s);
        struct str_view text = sv_sub(s, 0, n);
        double ignored;
        char copy[64], *end = copy;
        snprintf(copy, sizeof copy, "%.*s", SV_ARG(text));
        ignored = strtod(copy, &end);
        (void)ignored;
        bool digits_only = true;
        for (size_t i = 0; i < n; i++)
            digits_only &= text.p[i] != '_';
        if (n >= sizeof copy || (digits_only && *end))
            return terr(err, x->line, "bad number syntax: \"%.*s\"", SV_ARG(text));
        emit(x, TT_NUMBER, n);
        return 0;
    }
    if (is_word(s, 0, &n)) {
        n = word_length(s);
        if (!ends_operand(sv_from(s, n))) {
            uint32_t bad = 0;
            size_t len = utf8_decode(sv_from(s, n), &bad);
            return terr(err, x->line, "bad character U+%04X '%.*s'", bad, (int)len, s.p + n);
        }
        emit(x, TT_IDENT, n);
        return 0;
    }
    uint32_t bad = 0;
    size_t len = utf8_decode(s, &bad);
    return terr(err, x->line, "unrecognized character in action: U+%04X '%.*s'", bad,
                (int)(len ? len : 1), s.p);
}

/* One token inside {{ }}; *closed on }}, *trim when it was -}}. */
static int lex_inside(struct lexer *x, bool *closed, bool *trim, struct err *err)
{
    struct str_view s = rest(x);
    *closed = *trim = false;
    if (s.len == 0)
        return terr(err, x->line, "unclosed action");
    size_t blanks = 0;
    while (blanks < s.len && is_blank(s.p[blanks]))
        blanks++;
    *trim = blanks && sv_starts_with(sv_from(s, blanks), SV("-}}"));
    if (*trim || sv_starts_with(s, SV("}}"))) {
        if (x->parens)
            return terr(err, x->line, "unclosed left paren");
        x->at += *trim ? blanks + 1 : 0;
        emit(x, TT_CLOSE, 2);
        *closed = true;
        return 0;
    }
    if (blanks) {
        emit(x, TT_BLANK, blanks);
        return 0;
    }
    if (sv_starts_with(s, SV(":="))) {
        emit(x, TT_DECLARE, 2);
        return 0;
    }
    static const char PUNCTUATION[] = "=|(),";
    static const enum ttoken_kind KINDS[] = {TT_ASSIGN, TT_PIPE, TT_LEFT, TT_RIGHT, TT_COMMA};
    const char *hit = s.p[0] ? strchr(PUNCTUATION, s.p[0]) : NULL;
    if (!hit)
        return lex_operand(x, err);
    enum ttoken_kind kind = KINDS[hit - PUNCTUATION];
    x->parens += kind == TT_LEFT;
    if (kind == TT_RIGHT && x->parens-- == 0)
        return terr(err, x->line, "unexpected right paren");
    emit(x, kind, 1);
    return 0;
}

/* A comment is an action of its own: {{/ * ... * /}}, trim markers allowed. */
static int lex_comment(struct lexer *x, bool *trim, struct err *err)
{
    struct str_view s = rest(x);
    size_t end = sv_find(s, SV("*/"));
    if (end == SIZE_MAX)
        return terr(err, x->line, "unclosed comment");
    size_t n = end + 2;
    struct str_view after = sv_from(s, n);
    size_t blanks = 0;
    while (blanks < after.len && is_blank(after.p[blanks]))
        blanks++;
    *trim = blanks && sv_starts_with(sv_from(after, blanks), SV("-}}"));
    if (!*trim && !sv_starts_with(after, SV("}}")))
        return terr(err, x->line, "comment ends before closing delimiter");
    emit(x, TT_TEXT, n + (*trim ? blanks + 1 : 0) + 2);
    x->n--;
    return 0;
}

static int lex_all(struct lexer *x, struct err *err)
{
    bool trim = false;
    for (;;) {
        lex_text(x, trim);
        trim = false;
        if (!rest(x).len)
            break;
        struct str_view s = rest(x);
        bool trimmed = s.len > 3 && s.p[2] == '-' && is_blank(s.p[3]);
        size_t open = trimmed ? 4 : 2;
        size_t blanks = 0; /* a comment may follow the marker's blank only */
        if (sv_starts_with(sv_from(s, open + blanks), SV("/*"))) {
            x->at += open;
            int r = lex_comment(x, &trim, err);
            if (r < 0)
                return r;
            continue;
        }
        emit(x, TT_OPEN, open);
        for (bool closed = false; !closed;) {
            int r = lex_inside(x, &closed, &trim, err);
            if (r < 0)
                return r;
        }
    }
    emit(x, TT_END, 0);
    return 0;
}

int ttokens_of(struct arena *a, struct str_view text, struct ttoken **ret, size_t *ret_n,
               struct err *err)
{
    struct lexer x = {.arena = a, .text = text, .line = 1};
    int r = lex_all(&x, err);
    if (r == 0) {
        *ret = arena_alloc(a, x.n * sizeof **ret);
        memcpy(*ret, x.tokens, x.n * sizeof **ret);
        *ret_n = x.n;
    }
    free(x.tokens);
    return r;
}
