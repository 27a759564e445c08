/* SPDX-License-Identifier: Apache-2.0 */
/* The line of a token that takes more than one step of Loki's scanner (two-character operators,
 * flags, durations, byte sizes, ranges) is reported as 0; clients see that text, so we say it. */
#include "logql/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/values.h"
#include "logql/lex_number.h"
#include "logql/lex_string.h"
#include "logql/lex_words.h"
#include "regex/unicode.h"

int lexer_init(struct lexer *lx, struct arena *a, struct str_view text, struct err *err)
{
    if (text.len > LOGQL_MAX_QUERY_BYTES)
        return err_set(err, ERR_INVALID, "parse error : input size too long (%zu > %d)", text.len,
                       LOGQL_MAX_QUERY_BYTES + 1);
    if (sv_starts_with(text, SV("\xef\xbb\xbf")))
        text = sv_from(text, 3);
    *lx = (struct lexer){.arena = a, .text = text, .line = 1, .col = 1};
    return 0;
}

int token_fail(const struct token *t, struct err *err, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (t->line == 0 && t->col == 0)
        return err_set(err, ERR_INVALID, "parse error : %s", text);
    return err_set(err, ERR_INVALID, "parse error at line %u, col %u: %s", t->line, t->col, text);
}

static char peek(const struct lexer *lx, size_t ahead)
{
    return ahead < lx->text.len - lx->at ? lx->text.p[lx->at + ahead] : '\0';
}

/* Moves over `n` bytes, counting lines and characters. */
static void advance(struct lexer *lx, size_t n)
{
    for (; n > 0; n--) {
        unsigned char c = (unsigned char)lx->text.p[lx->at++];
        if (c == '\n') {
            lx->line++;
            lx->col = 1;
        } else if ((c & 0xc0) != 0x80) {
            lx->col++;
        }
    }
}

/* The text holds neither NUL nor invalid UTF-8 from `at` on, for `n` bytes. */
static int check_text(const struct lexer *lx, const struct token *t, size_t n, struct err *err)
{
    struct str_view rest = sv_sub(lx->text, lx->at, n);
    while (rest.len) {
        uint32_t rune;
        size_t left = lx->text.len - (size_t)(rest.p - lx->text.p);
        unsigned width = rune_decode(rest.p, left, &rune);
        if (rune == RUNE_BAD && width == 1)
            return token_fail(t, err, "invalid UTF-8 encoding");
        if (rune == 0)
            return token_fail(t, err, "invalid character NUL");
        rest = sv_from(rest, width);
    }
    return 0;
}

static size_t comment_bytes(const struct lexer *lx, bool *ret_open)
{
    struct str_view rest = sv_from(lx->text, lx->at);
    *ret_open = false;
    if (rest.len == 0)
        return 0;
    if (rest.p[0] == '#' || sv_starts_with(rest, SV("//")))
        return sv_find_byte(rest, '\n');
    if (!sv_starts_with(rest, SV("/*")))
        return 0;
    size_t end = sv_find(sv_from(rest, 2), SV("*/"));
    *ret_open = end == SIZE_MAX;
    return *ret_open ? rest.len : end + 4;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int skip_blanks(struct lexer *lx, struct token *t, struct err *err)
{
    for (;;) {
        while (lx->at < lx->text.len && is_blank(lx->text.p[lx->at]))
            advance(lx, 1);
        t->line = lx->line;
        t->col = lx->col;
        bool open;
        size_t n = comment_bytes(lx, &open);
        if (n == 0)
            return 0;
        if (open)
            return token_fail(t, err, "comment not terminated");
        int r = check_text(lx, t, n, err);
        if (r < 0)
            return r;
        advance(lx, n);
    }
}

static size_t blanks_from(struct str_view text, size_t at)
{
    while (at < text.len && is_blank(text.p[at]))
        at++;
    return at;
}

/* "(", or "by (" and "without (". */
static bool parenthesis_follows(struct str_view text, size_t at)
{
    at = blanks_from(text, at);
    if (at < text.len && text.p[at] == '(')
        return true;
    size_t word_bytes = 0;
    if (sv_eq_nocase(sv_sub(text, at, 2), SV("by")))
        word_bytes = 2;
    else if (sv_eq_nocase(sv_sub(text, at, 7), SV("without")))
        word_bytes = 7;
    if (word_bytes == 0)
        return false;
    at = blanks_from(text, at + word_bytes);
    return at < text.len && text.p[at] == '(';
}

static size_t identifier_bytes(struct str_view text)
{
    size_t n = 0;
    while (n < text.len) {
        uint32_t rune;
        unsigned width = rune_decode(text.p + n, text.len - n, &rune);
        if (!unicode_is_word(rune) || (n == 0 && unicode_in(rune, SV("Nd"))))
            break;
        n += width;
    }
    return n;
}

static void lex_word(struct lexer *lx, struct token *t, size_t n)
{
    t->kind = T_IDENTIFIER;
    t->text = sv_sub(lx->text, lx->at, n);
    advance(lx, n);
    const struct word *w = word_find(t->text);
    if (w && (!w->is_function || parenthesis_follows(lx->text, lx->at))) {
        t->kind = w->kind;
        t->op = w->op;
    }
}

static int lex_string(struct lexer *lx, struct token *t, struct err *err)
{
    size_t n;
    const char *fault = string_literal_scan(sv_from(lx->text, lx->at), &n);
    int r = check_text(lx, t, n, err);
    if (r < 0)
        return r;
    t->kind = T_STRING;
    if (!fault && !string_literal_value(lx->arena, sv_sub(lx->text, lx->at, n), &t->text))
        fault = "invalid char escape";
    if (fault)
        return token_fail(t, err, "%s", fault);
    advance(lx, n);
    return 0;
}

static int lex_number(struct lexer *lx, struct token *t, struct err *err)
{
    struct str_view rest = sv_from(lx->text, lx->at);
    struct number_scan scan;
    number_literal_scan(rest, &scan);
    if (scan.fault[0])
        return token_fail(t, err, "%s", scan.fault);
    size_t n = scan.bytes;
    t->kind = T_NUMBER;
    size_t with_unit = n + duration_chars(sv_from(rest, n));
    struct str_view text = sv_sub(rest, 0, with_unit);
    if (with_unit > n && (duration_parse_prom(text, &t->ns, NULL) == 0 ||
                          duration_parse_go(text, &t->ns, NULL) == 0)) {
        t->kind = T_DURATION;
        n = with_unit;
    } else {
        with_unit = n + bytesize_chars(sv_from(rest, n));
        if (with_unit > n && bytesize_parse_literal(sv_sub(rest, 0, with_unit), &t->bytes)) {
            t->kind = T_BYTES;
            n = with_unit;
        }
    }
    if (t->kind != T_NUMBER)
        t->line = 0;
    t->text = sv_sub(rest, 0, n);
    advance(lx, n);
    return 0;
}

static int lex_range(struct lexer *lx, struct token *t, struct err *err)
{
    struct str_view rest = sv_from(lx->text, lx->at + 1);
    size_t n = sv_find_byte(rest, ']');
    int r = check_text(lx, t, n + 1, err);
    if (r < 0)
        return r;
    t->kind = T_RANGE;
    t->line = 0;
    if (n == rest.len)
        return token_fail(t, err, "missing closing ']' in duration");
    t->text = sv_sub(rest, 0, n);
    struct err cause;
    if (duration_parse_prom(t->text, &t->ns, &cause) < 0)
        return token_fail(t, err, "%s", cause.text);
    advance(lx, n + 2);
    return 0;
}

/* --strict, --keep-empty, or a negative duration; false when "-" is just a sign. */
static bool lex_after_minus(struct lexer *lx, struct token *t)
{
    struct str_view rest = sv_from(lx->text, lx->at);
    size_t n = 1;
    while (n < rest.len && (ascii_is_lower(rest.p[n]) || rest.p[n] == '-'))
        n++;
    t->text = sv_sub(rest, 0, n);
    bool strict = sv_eq(t->text, SV("--strict"));
    if (strict || sv_eq(t->text, SV("--keep-empty"))) {
        t->kind = T_FLAG;
        t->op = strict ? FLAG_STRICT : FLAG_KEEP_EMPTY;
    } else {
        n = 1 + duration_chars(sv_from(rest, 1));
        t->text = sv_sub(rest, 0, n);
        if (n < 3 || ascii_is_digit(t->text.p[n - 1]) ||
            duration_parse_go(t->text, &t->ns, NULL) < 0)
            return false;
        t->kind = T_DURATION;
    }
    t->line = 0;
    advance(lx, n);
    return true;
}

static const struct {
    char text[3];
    enum token_kind kind;
} OPERATORS[] = {
    /* longest first */
    {"==", T_CMP_EQ},       {"!=", T_NEQ},        {"=~", T_RE},
    {"!~", T_NRE},          {"|=", T_PIPE_EXACT}, {"|~", T_PIPE_MATCH},
    {"|>", T_PIPE_PATTERN}, {"!>", T_NPA},        {">=", T_GTE},
    {"<=", T_LTE},          {"{", T_OPEN_BRACE},  {"}", T_CLOSE_BRACE},
    {"(", T_OPEN_PAREN},    {")", T_CLOSE_PAREN}, {"]", T_CLOSE_BRACKET},
    {",", T_COMMA},         {".", T_DOT},         {"=", T_EQ},
    {"|", T_PIPE},          {"+", T_ADD},         {"-", T_SUB},
    {"*", T_MUL},           {"/", T_DIV},         {"%", T_MOD},
    {"^", T_POW},           {">", T_GT},          {"<", T_LT},
};
enum { N_OPERATORS = sizeof OPERATORS / sizeof OPERATORS[0] };

static void lex_operator(struct lexer *lx, struct token *t)
{
    struct str_view rest = sv_from(lx->text, lx->at);
    size_t n = 1;
    t->kind = T_OTHER;
    for (int i = 0; i < N_OPERATORS; i++) {
        if (!sv_starts_with(rest, sv_of(OPERATORS[i].text)))
            continue;
        t->kind = OPERATORS[i].kind;
        n = strlen(OPERATORS[i].text);
        break;
    }
    if (n == 2)
        t->line = 0;
    uint32_t rune;
    if (t->kind == T_OTHER)
        n = rune_decode(rest.p, rest.len, &rune);
    t->text = sv_sub(rest, 0, n);
    advance(lx, n);
}

int lexer_next(struct lexer *lx, struct token *ret, struct err *err)
{
    *ret = (struct token){.kind = T_END};
    int r = skip_blanks(lx, ret, err);
    if (r < 0)
        return r;
    struct str_view rest = sv_from(lx->text, lx->at);
    if (rest.len == 0) {
        if (lx->text.len == 0)
            ret->line = ret->col = 0; /* an empty query has no place */
        return 0;
    }
    r = check_text(lx, ret, 1, err);
    if (r < 0)
        return r;
    char c = rest.p[0];
    size_t n = identifier_bytes(rest);
    if (n > 0) {
        lex_word(lx, ret, n);
        return 0;
    }
    if (c == '"' || c == '`')
        return lex_string(lx, ret, err);
    if (ascii_is_digit(c) || (c == '.' && ascii_is_digit(peek(lx, 1))))
        return lex_number(lx, ret, err);
    if (c == '[')
        return lex_range(lx, ret, err);
    if (c != '-' || !lex_after_minus(lx, ret))
        lex_operator(lx, ret);
    return 0;
}

const char *token_text(const struct token *t)
{
    static const char *const KINDS[] = {
        [T_END] = "$end",          [T_IDENTIFIER] = "IDENTIFIER", [T_OTHER] = "IDENTIFIER",
        [T_STRING] = "STRING",     [T_NUMBER] = "NUMBER",         [T_BYTES] = "BYTES",
        [T_DURATION] = "DURATION", [T_RANGE] = "RANGE",           [T_FLAG] = "FUNCTION_FLAG",
    };
    if (t->kind <= T_FLAG)
        return KINDS[t->kind];
    for (int i = 0; i < N_OPERATORS; i++)
        if (OPERATORS[i].kind == t->kind)
            return OPERATORS[i].text;
    return word_of_token(t->kind, t->op)->shown;
}
