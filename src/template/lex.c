/* SPDX-License-Identifier: Apache-2.0 */
/* A template's text to tokens: plain text, and inside {{ }} words, literals and punctuation, with
 * trim markers ({{- -}}) and comments gone.  What is wrong becomes the last token, not an error:
 * the parser may have something to say about what stands before it, and Go would say that first. */
#include "template/lex.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/utf8.h"
#include "regex/unicode.h"

struct template_lexer {
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

static struct str_view rest(const struct template_lexer *x)
{
    return sv_from(x->text, x->at);
}

/* Goes on, counting lines. */
static void skip(struct template_lexer *x, size_t n)
{
    for (size_t end = x->at + n; x->at < end; x->at++)
        if (x->text.p[x->at] == '\n') {
            x->line++;
            x->line_start = x->at + 1;
        }
}

static void emit(struct template_lexer *x, enum ttoken_kind kind, size_t len)
{
    x->tokens = mem_grow(x->tokens, &x->cap, x->n + 1, sizeof *x->tokens);
    struct str_view text = sv_sub(x->text, x->at, len);
    x->tokens[x->n++] = (struct ttoken){kind, text, x->line, (uint32_t)(x->at - x->line_start)};
    skip(x, text.len);
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
    return n && unicode_is_word(c);
}

static size_t word_length(struct str_view s)
{
    size_t at = 0, n;
    while (at < s.len && is_word(s, at, &n))
        at += n;
    return at;
}

/* Plain text up to the next {{ ; a trim marker after it takes the blanks at the text's end. */
static void lex_text(struct template_lexer *x, bool trim_left)
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

/* The last token: what is wrong here. */
static bool fault(struct template_lexer *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool fault(struct template_lexer *x, const char *fmt, ...)
{
    struct err why = ERR_INIT;
    va_list ap;
    va_start(ap, fmt);
    err_setv(&why, ERR_INVALID, fmt, ap);
    va_end(ap);
    emit(x, TT_FAULT, 0);
    x->tokens[x->n - 1].text = arena_copy(x->arena, sv_of(why.text));
    return false;
}

/* "<what> U+007B '{'", with the character at `at`. */
static bool bad_character(struct template_lexer *x, const char *what, size_t at)
{
    struct str_view s = sv_from(rest(x), at);
    uint32_t c = 0;
    size_t len = utf8_decode(s, &c);
    if (s.len == 0)
        return fault(x, "%s U+FFFFFFFFFFFFFFFF", what); /* Go's mark for the end of the text */
    if (len == 0)
        return fault(x, "%s U+FFFD '\xef\xbf\xbd'", what);
    if (c < 0x20 || c == 0x7f)
        return fault(x, "%s U+%04X", what, c);
    return fault(x, "%s U+%04X '%.*s'", what, c, (int)len, s.p);
}

static bool lex_quoted(struct template_lexer *x, char quote, enum ttoken_kind kind)
{
    struct str_view s = rest(x);
    for (size_t i = 1; i < s.len; i++) {
        if (s.p[i] == quote) {
            emit(x, kind, i + 1);
            return true;
        }
        if (quote == '`')
            continue;
        if (s.p[i] == '\\')
            i++;
        if (i == s.len || s.p[i] == '\n')
            break;
    }
    return fault(x, "unterminated %s",
                 kind == TT_RAW    ? "raw quoted string"
                 : kind == TT_CHAR ? "character constant"
                                   : "quoted string");
}

static size_t run_of(struct str_view s, size_t at, const char *set)
{
    size_t n = 0;
    while (at + n < s.len && s.p[at + n] && strchr(set, s.p[at + n]))
        n++;
    return n;
}

static size_t one_of(struct str_view s, size_t at, const char *set)
{
    return at < s.len && s.p[at] && strchr(set, s.p[at]) ? 1 : 0;
}

/* Sign, base, digits, fraction, exponent: every part may be missing; the parser looks closer. */
static size_t number_bytes(struct str_view s)
{
    static const char DECIMAL[] = "0123456789_";
    size_t i = one_of(s, 0, "+-");
    const char *digits = DECIMAL, *exponent = "eE";
    if (one_of(s, i, "0")) {
        i++;
        size_t hex = one_of(s, i, "xX"), octal = one_of(s, i, "oO"), binary = one_of(s, i, "bB");
        digits = hex ? "0123456789abcdefABCDEF_" : octal ? "01234567_" : binary ? "01_" : DECIMAL;
        exponent = hex ? "pP" : octal || binary ? "" : "eE";
        i += hex + octal + binary;
    }
    i += run_of(s, i, digits);
    if (one_of(s, i, ".")) {
        i++;
        i += run_of(s, i, digits);
    }
    if (one_of(s, i, exponent)) {
        i++;
        i += one_of(s, i, "+-");
        i += run_of(s, i, DECIMAL);
    }
    i += one_of(s, i, "i"); /* imaginary: Go has them, the parser refuses */
    return i;
}

static bool lex_number(struct template_lexer *x)
{
    struct str_view s = rest(x);
    size_t n = number_bytes(s), width;
    bool well = !is_word(s, n, &width) && !one_of(s, n, "+-");
    if (well) {
        emit(x, TT_NUMBER, n);
        return true;
    }
    n += number_bytes(sv_from(s, n)); /* 1+2i, or no number at all */
    if (is_word(s, n, &width))
        n += width;
    return fault(x, "bad number syntax: \"%.*s\"", SV_ARG(sv_sub(s, 0, n)));
}

static bool ends_operand(struct str_view s)
{
    return s.len == 0 || is_blank(s.p[0]) || (s.p[0] && strchr(".,|:)(", s.p[0])) ||
           sv_starts_with(s, SV("}}"));
}

/* A word, or what follows a dot or dollar. */
static bool lex_word(struct template_lexer *x, enum ttoken_kind kind)
{
    size_t lead = kind != TT_IDENT, n = lead;
    if (!lead || !ends_operand(sv_from(rest(x), lead)))
        n += word_length(sv_from(rest(x), lead));
    if (!ends_operand(sv_from(rest(x), n)))
        return bad_character(x, "bad character", n);
    emit(x, n == 1 && kind == TT_FIELD ? TT_DOT : kind, n);
    return true;
}

static bool lex_operand(struct template_lexer *x)
{
    struct str_view s = rest(x);
    char c = s.p[0], next = s.len > 1 ? s.p[1] : 0;
    size_t n;
    if (c == '"' || c == '`' || c == '\'')
        return lex_quoted(x, c, c == '"' ? TT_STRING : c == '`' ? TT_RAW : TT_CHAR);
    if (c == '$')
        return lex_word(x, TT_VARIABLE);
    bool digit_next = ascii_is_digit(next);
    if (c == '.' && s.len > 1 && !digit_next)
        return lex_word(x, TT_FIELD);
    if (ascii_is_digit(c) || c == '+' || c == '-' || c == '.')
        return lex_number(x);
    if (is_word(s, 0, &n))
        return lex_word(x, TT_IDENT);
    if (c < 0x20 || c == 0x7f)
        return bad_character(x, "unrecognized character in action:", 0);
    emit(x, TT_OTHER, 1);
    return true;
}

static bool lex_punctuation(struct template_lexer *x, enum ttoken_kind kind)
{
    x->parens += kind == TT_LEFT;
    if (kind == TT_RIGHT && x->parens-- == 0)
        return fault(x, "unexpected right paren");
    emit(x, kind, 1);
    return true;
}

/* One token inside {{ }}; *closed on }}, *trim when it was -}}.  False after a fault. */
static bool lex_inside(struct template_lexer *x, bool *closed, bool *trim)
{
    static const char PUNCTUATION[] = "=|(),";
    static const enum ttoken_kind KINDS[] = {TT_ASSIGN, TT_PIPE, TT_LEFT, TT_RIGHT, TT_COMMA};
    struct str_view s = rest(x);
    size_t blanks = 0;
    *closed = *trim = false;
    if (s.len == 0)
        return fault(x, "unclosed action");
    while (blanks < s.len && is_blank(s.p[blanks]))
        blanks++;
    *trim = blanks && sv_starts_with(sv_from(s, blanks), SV("-}}"));
    if (*trim || sv_starts_with(s, SV("}}"))) {
        if (x->parens)
            return fault(x, "unclosed left paren");
        skip(x, *trim ? blanks + 1 : 0);
        emit(x, TT_CLOSE, 2);
        *closed = true;
        return true;
    }
    if (blanks) {
        emit(x, TT_BLANK, blanks);
        return true;
    }
    if (s.p[0] == ':') {
        if (!sv_starts_with(s, SV(":=")))
            return fault(x, "expected :=");
        emit(x, TT_DECLARE, 2);
        return true;
    }
    const char *hit = s.p[0] ? strchr(PUNCTUATION, s.p[0]) : NULL;
    return hit ? lex_punctuation(x, KINDS[hit - PUNCTUATION]) : lex_operand(x);
}

/* A comment is an action of its own: {{/ * ... * /}}, trim markers allowed. */
static bool lex_comment(struct template_lexer *x, bool *trim)
{
    struct str_view s = rest(x);
    size_t end = sv_find(sv_from(s, 2), SV("*/"));
    if (end == SIZE_MAX)
        return fault(x, "unclosed comment");
    size_t n = end + 4;
    struct str_view after = sv_from(s, n);
    *trim = after.len && is_blank(after.p[0]) && sv_starts_with(sv_from(after, 1), SV("-}}"));
    if (!*trim && !sv_starts_with(after, SV("}}")))
        return fault(x, "comment ends before closing delimiter");
    emit(x, TT_TEXT, n + (*trim ? 2 : 0) + 2);
    x->n--;
    return true;
}

static void lex_all(struct template_lexer *x)
{
    bool trim = false, well = true;
    while (well) {
        lex_text(x, trim);
        trim = false;
        struct str_view s = rest(x);
        if (s.len == 0)
            break;
        bool trimmed = s.len > 3 && s.p[2] == '-' && is_blank(s.p[3]);
        size_t open = trimmed ? 4 : 2;
        if (sv_starts_with(sv_from(s, open), SV("/*"))) {
            skip(x, open);
            well = lex_comment(x, &trim);
            continue;
        }
        emit(x, TT_OPEN, open);
        x->parens = 0;
        for (bool closed = false; well && !closed;)
            well = lex_inside(x, &closed, &trim);
    }
    if (well)
        emit(x, TT_END, 0);
}

struct ttoken *ttokens_of(struct arena *a, struct str_view text)
{
    struct template_lexer x = {.arena = a, .text = text, .line = 1};
    lex_all(&x);
    struct ttoken *tokens = arena_alloc(a, x.n * sizeof *tokens);
    memcpy(tokens, x.tokens, x.n * sizeof *tokens);
    free(x.tokens);
    return tokens;
}
