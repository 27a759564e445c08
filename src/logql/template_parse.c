/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/utf8.h"
#include "logql/template_ast.h"
#include "logql/template_func.h"
#include "logql/template_lex.h"
#include "logql/values.h"
#include "model/labels.h"

enum { MAX_DEPTH = 100 }; /* of nested blocks and parentheses */

struct parser {
    struct arena *arena;
    struct template *t;
    struct ttoken *tokens;
    size_t at;
    struct str_view *vars; /* in scope */
    size_t n_vars, cap_vars;
    unsigned depth, range_depth;
    uint32_t action_line; /* of the {{ we are in; 0 outside */
};

static struct ttoken *peek(struct parser *p)
{
    return &p->tokens[p->at];
}

static struct ttoken *next(struct parser *p)
{
    struct ttoken *t = &p->tokens[p->at];
    p->at += t->kind != TT_END && t->kind != TT_FAULT;
    return t;
}

/* Of the token read last. */
static uint32_t last_line(const struct parser *p)
{
    return p->tokens[p->at ? p->at - 1 : 0].line;
}

static void skip_blank(struct parser *p)
{
    while (peek(p)->kind == TT_BLANK)
        p->at++;
}

static bool is_keyword(struct str_view word)
{
    static const char *const WORDS[] = {"block", "break", "continue", "define", "else",     "end",
                                        "if",    "range", "nil",      "with",   "template", NULL};
    for (size_t i = 0; WORDS[i]; i++)
        if (sv_eq(word, sv_of(WORDS[i])))
            return true;
    return false;
}

/* What the lexer found wrong. */
static int tell_fault(struct parser *p, const struct ttoken *t, struct err *err)
{
    if (p->action_line == 0 || p->action_line == t->line)
        return terr(err, t->line, "%.*s", SV_ARG(t->text));
    bool ends_so = sv_ends_with(t->text, SV(" action"));
    return terr(err, t->line, "%.*s%s started at line:%u", SV_ARG(t->text),
                ends_so ? "" : " in action", p->action_line);
}

static int unexpected(struct parser *p, const struct ttoken *t, const char *where, struct err *err)
{
    enum { SHOWN_RUNES = 10 };
    if (t->kind == TT_FAULT)
        return tell_fault(p, t, err);
    if (t->kind == TT_END)
        return terr(err, t->line, "unexpected EOF");
    if (t->kind == TT_DOT || (t->kind == TT_IDENT && is_keyword(t->text)))
        return terr(err, t->line, "unexpected <%.*s> in %s", SV_ARG(t->text), where);
    CLEANUP(buf_deinit) struct buf shown = BUF_INIT;
    struct str_view text = t->text;
    bool cut = text.len > SHOWN_RUNES;
    for (size_t n = 0, at = 0; cut && at < t->text.len && n <= SHOWN_RUNES; n++) {
        uint32_t rune;
        size_t width = utf8_decode(sv_from(t->text, at), &rune);
        if (n == SHOWN_RUNES)
            text = sv_sub(t->text, 0, at);
        at += width ? width : 1;
    }
    go_quote(&shown, text);
    return terr(err, t->line, "unexpected %.*s%s in %s", SV_ARG(buf_view(&shown)), cut ? "..." : "",
                where);
}

static void declare(struct parser *p, struct str_view name)
{
    p->vars = mem_grow(p->vars, &p->cap_vars, p->n_vars + 1, sizeof *p->vars);
    p->vars[p->n_vars++] = name;
}

static bool declared(const struct parser *p, struct str_view name)
{
    for (size_t i = 0; i < p->n_vars; i++)
        if (sv_eq(p->vars[i], name))
            return true;
    return false;
}

/* --- constants --- */

/* Go's string and character escapes; -1 on a bad one.  At most 4 bytes. */
static int take_escape(struct str_view *s, char quote, char out[UTF8_MAX_BYTES])
{
    static const char NAMES[] = "abfnrtv\\", VALUES[] = "\a\b\f\n\r\t\v\\";
    char c = s->p[0];
    *s = sv_from(*s, 1);
    const char *hit = c ? strchr(NAMES, c) : NULL;
    if (hit || c == quote) {
        out[0] = hit ? VALUES[hit - NAMES] : quote;
        return 1;
    }
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    int base = digits == 3 ? 8 : 16;
    uint64_t v = digits == 3 ? (uint64_t)(c - '0') : 0;
    if (digits == 0 || s->len < (size_t)(digits - (base == 8)))
        return -1;
    for (int i = base == 8; i < digits; i++) {
        char d = s->p[0];
        int value = d >= '0' && d <= '9'                     ? d - '0'
                    : (d | 0x20) >= 'a' && (d | 0x20) <= 'f' ? (d | 0x20) - 'a' + 10
                                                             : 99;
        if (value >= base)
            return -1;
        v = v * (unsigned)base + (unsigned)value;
        *s = sv_from(*s, 1);
    }
    if (digits <= 3) {
        out[0] = (char)v;
        return v > 255 ? -1 : 1;
    }
    if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return -1;
    return (int)utf8_encode((uint32_t)v, out);
}

static bool unquote(struct arena *a, struct str_view body, char quote, struct str_view *ret)
{
    char *out = arena_alloc(a, body.len + 1);
    size_t n = 0;
    while (body.len) {
        if (body.p[0] != '\\') {
            out[n++] = body.p[0];
            body = sv_from(body, 1);
            continue;
        }
        char bytes[UTF8_MAX_BYTES];
        body = sv_from(body, 1);
        int k = body.len ? take_escape(&body, quote, bytes) : -1;
        if (k < 0)
            return false;
        memcpy(out + n, bytes, (size_t)k); /* never longer than its escape */
        n += (size_t)k;
    }
    *ret = sv(out, n);
    return true;
}

/* One underscore between digits, or between the base and a digit. */
static bool underscores_fit(struct str_view digits, bool prefixed)
{
    char before = prefixed ? '0' : '_';
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.p[i];
        if (c == '_' && before == '_')
            return false;
        before = c;
    }
    return before != '_';
}

bool tv_integer_of(struct str_view text, int64_t *ret)
{
    bool negative = text.len && text.p[0] == '-';
    struct str_view s =
        text.len && (text.p[0] == '-' || text.p[0] == '+') ? sv_from(text, 1) : text;
    unsigned base = 10;
    if (s.len > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = sv_from(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    uint64_t v = 0;
    if (s.len == 0 || !underscores_fit(s, base != 10))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i], lower = (char)(c | 0x20);
        unsigned d = c >= '0' && c <= '9'           ? (unsigned)(c - '0')
                     : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a' + 10)
                                                    : 99;
        if (c == '_')
            continue;
        if (d >= base || v > (UINT64_MAX - d) / base)
            return false;
        v = v * base + d;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? 0 - v : v);
    return true;
}

static int number_of(struct ttoken *t, struct tvalue *ret, struct err *err)
{
    int64_t i;
    double f;
    if (tv_integer_of(t->text, &i)) {
        *ret = tv_int(i);
    } else if (number_parse(t->text, &f, NULL) == 0) {
        bool whole = true;
        for (size_t k = 0; k < t->text.len && whole; k++)
            whole = !strchr(".eEpP", t->text.p[k]);
        if (whole)
            return terr(err, t->line, "integer overflow: \"%.*s\"", SV_ARG(t->text));
        *ret = tv_float(f); /* 1e3 also goes where an int is wanted */
    } else {
        return terr(err, t->line, "illegal number syntax: \"%.*s\"", SV_ARG(t->text));
    }
    ret->literal = true;
    return 0;
}

static int char_of(struct parser *p, struct ttoken *t, struct tvalue *ret, struct err *err)
{
    struct str_view text;
    uint32_t c = 0;
    bool ok = unquote(p->arena, sv_sub(t->text, 1, t->text.len - 2), '\'', &text) && text.len;
    size_t n = ok ? utf8_decode(text, &c) : 0;
    if (ok && n == 0) { /* one byte, written as an escape */
        c = (unsigned char)text.p[0];
        n = 1;
    }
    if (!ok)
        return terr(err, t->line, "invalid syntax");
    if (n != text.len)
        return terr(err, t->line, "malformed character constant: %.*s", SV_ARG(t->text));
    *ret = tv_int(c);
    ret->literal = true;
    return 0;
}

static int string_of(struct parser *p, struct ttoken *t, struct tvalue *ret, struct err *err)
{
    struct str_view body = sv_sub(t->text, 1, t->text.len - 2), text = body;
    if (t->kind == TT_STRING && !unquote(p->arena, body, '"', &text))
        return terr(err, t->line, "invalid syntax");
    *ret = tv_string(text);
    return 0;
}

/* --- pipelines --- */

static int parse_pipe(struct parser *p, const char *where, enum ttoken_kind end, struct tpipe **ret,
                      struct err *err);

static void take_fields(struct parser *p, struct targ *arg)
{
    size_t cap = 0;
    struct str_view *fields = NULL;
    while (peek(p)->kind == TT_FIELD) {
        fields = mem_grow(fields, &cap, arg->n_fields + 1, sizeof *fields);
        fields[arg->n_fields++] = sv_from(next(p)->text, 1);
    }
    if (fields) {
        struct str_view *kept = arena_alloc(p->arena, arg->n_fields * sizeof *kept);
        memcpy(kept, fields, arg->n_fields * sizeof *kept);
        arg->fields = kept;
    }
    free(fields);
}

static int parse_ident(struct parser *p, struct ttoken *t, struct targ *arg, struct err *err)
{
    if (sv_eq(t->text, SV("true")) || sv_eq(t->text, SV("false"))) {
        arg->kind = TARG_CONST;
        arg->value = tv_bool(t->text.p[0] == 't');
        return 0;
    }
    if (sv_eq(t->text, SV("nil"))) {
        arg->kind = TARG_NIL;
        return 0;
    }
    arg->kind = TARG_FUNC;
    arg->name = t->text;
    arg->func = tfunc_find(t->text);
    if (!arg->func)
        return terr(err, t->line, "function \"%.*s\" not defined", SV_ARG(t->text));
    return 0;
}

static int unexpected_dot(const struct ttoken *t, struct err *err)
{
    CLEANUP(buf_deinit) struct buf shown = BUF_INIT;
    go_quote(&shown, sv_sub(t->text, 0, 200));
    return terr(err, t->line, "unexpected . after term %.*s", SV_ARG(buf_view(&shown)));
}

/* 1: an operand was read; 0: the next token is none. */
static int parse_operand(struct parser *p, struct targ *arg, struct err *err)
{
    struct ttoken *t = peek(p);
    int r = 0;
    switch (t->kind) {
    case TT_IDENT:
        if (is_keyword(t->text) && !sv_eq(t->text, SV("nil")))
            return 0;
        next(p);
        r = parse_ident(p, t, arg, err);
        break;
    case TT_DOT:
        next(p);
        arg->kind = TARG_DOT;
        break;
    case TT_FIELD:
        arg->kind = TARG_FIELD;
        break;
    case TT_VARIABLE:
        next(p);
        arg->kind = TARG_VAR;
        arg->name = t->text;
        if (!declared(p, t->text))
            return terr(err, t->line, "undefined variable \"%.*s\"", SV_ARG(t->text));
        break;
    case TT_STRING:
    case TT_RAW:
        next(p);
        arg->kind = TARG_CONST;
        r = string_of(p, t, &arg->value, err);
        break;
    case TT_CHAR:
        next(p);
        arg->kind = TARG_CONST;
        r = char_of(p, t, &arg->value, err);
        break;
    case TT_NUMBER:
        next(p);
        arg->kind = TARG_CONST;
        r = number_of(t, &arg->value, err);
        break;
    case TT_LEFT:
        next(p);
        arg->kind = TARG_PIPE;
        if (++p->depth > MAX_DEPTH)
            return terr(err, t->line, "nested more than %d deep", MAX_DEPTH);
        r = parse_pipe(p, "parenthesized pipeline", TT_RIGHT, &arg->pipe, err);
        p->depth--;
        break;
    default:
        return 0;
    }
    if (r < 0)
        return r;
    if (peek(p)->kind == TT_FIELD) {
        if (arg->kind == TARG_CONST || arg->kind == TARG_NIL || arg->kind == TARG_DOT)
            return unexpected_dot(t, err);
        take_fields(p, arg);
    }
    struct ttoken *last = &p->tokens[p->at - 1];
    arg->source = sv(t->text.p, (size_t)(last->text.p + last->text.len - t->text.p));
    return 1;
}

static int parse_command(struct parser *p, struct tcommand **ret, struct err *err)
{
    struct tcommand *c = ARENA_NEW(p->arena, struct tcommand);
    struct targ *args = NULL;
    size_t cap = 0;
    int r = 0;
    const char *start = peek(p)->text.p;
    for (;;) {
        skip_blank(p);
        struct targ arg = {0};
        r = parse_operand(p, &arg, err);
        if (r < 0)
            break;
        if (r > 0) {
            args = mem_grow(args, &cap, c->n_args + 1, sizeof *args);
            args[c->n_args++] = arg;
            c->source = sv(start, (size_t)(arg.source.p + arg.source.len - start));
        }
        enum ttoken_kind after = peek(p)->kind;
        if (after == TT_BLANK)
            continue;
        if (after != TT_PIPE && after != TT_CLOSE && after != TT_RIGHT)
            r = unexpected(p, peek(p), "operand", err);
        break;
    }
    if (r >= 0 && c->n_args == 0)
        r = terr(err, peek(p)->line, "empty command");
    if (r >= 0) {
        c->args = arena_alloc(p->arena, c->n_args * sizeof *args);
        memcpy(c->args, args, c->n_args * sizeof *args);
    }
    free(args);
    *ret = c;
    return r < 0 ? r : 0;
}

static void add_declared(struct parser *p, struct tpipe *pipe, struct str_view name)
{
    pipe->vars[pipe->n_vars++] = name;
    declare(p, name);
}

/* $x :=   $i, $v :=   $x = ; nothing otherwise.  Whether an assigned variable exists shows when it
 * is executed. */
static int parse_declarations(struct parser *p, const char *where, struct tpipe *pipe,
                              struct err *err)
{
    for (;;) {
        skip_blank(p);
        size_t start = p->at;
        if (peek(p)->kind != TT_VARIABLE)
            return 0;
        struct str_view name = next(p)->text;
        skip_blank(p);
        enum ttoken_kind kind = peek(p)->kind;
        if (kind == TT_DECLARE || kind == TT_ASSIGN) {
            next(p);
            pipe->assigns = kind == TT_ASSIGN;
            add_declared(p, pipe, name);
            return 0;
        }
        if (kind != TT_COMMA) {
            p->at = start;
            return 0;
        }
        next(p);
        if (strcmp(where, "range") != 0 || pipe->n_vars == 1)
            return terr(err, peek(p)->line, "too many declarations in %s", where);
        add_declared(p, pipe, name);
        skip_blank(p);
        kind = peek(p)->kind;
        if (kind != TT_VARIABLE && kind != TT_CLOSE && kind != TT_RIGHT)
            return terr(err, peek(p)->line, "range can only initialize variables");
    }
}

static bool starts_operand(enum ttoken_kind kind)
{
    switch (kind) {
    case TT_IDENT:
    case TT_FIELD:
    case TT_DOT:
    case TT_VARIABLE:
    case TT_STRING:
    case TT_RAW:
    case TT_CHAR:
    case TT_NUMBER:
    case TT_LEFT:
        return true;
    default:
        return false;
    }
}

/* Only the first command may be a plain value. */
static int check_pipe(struct parser *p, const struct tpipe *pipe, const char *where,
                      struct err *err)
{
    const struct tcommand *c = pipe->commands;
    if (!c)
        return terr(err, peek(p)->line, "missing value for %s", where);
    for (int stage = 2; (c = c->next); stage++) {
        enum targ_kind kind = c->args[0].n_fields ? TARG_FIELD : c->args[0].kind;
        if (kind == TARG_CONST || kind == TARG_NIL || kind == TARG_DOT)
            return terr(err, peek(p)->line, "non executable command in pipeline stage %d", stage);
    }
    return 0;
}

static int parse_pipe(struct parser *p, const char *where, enum ttoken_kind end, struct tpipe **ret,
                      struct err *err)
{
    struct tpipe *pipe = ARENA_NEW(p->arena, struct tpipe);
    *ret = pipe;
    skip_blank(p);
    struct ttoken *first = peek(p);
    pipe->line = first->line;
    pipe->col = first->col;
    int r = parse_declarations(p, where, pipe, err);
    for (struct tcommand **at = &pipe->commands; r == 0; at = &(*at)->next) {
        skip_blank(p);
        struct ttoken *t = peek(p);
        if (t->kind == end) {
            size_t bytes = (size_t)(t->text.p - first->text.p);
            pipe->source = sv_trim(sv(first->text.p, bytes));
            r = check_pipe(p, pipe, where, err);
            next(p);
            return r;
        }
        if (!starts_operand(t->kind) ||
            (t->kind == TT_IDENT && is_keyword(t->text) && !sv_eq(t->text, SV("nil"))))
            return unexpected(p, t, where, err);
        r = parse_command(p, at, err);
        if (r == 0 && peek(p)->kind == TT_PIPE)
            next(p);
    }
    return r;
}

/* --- nodes --- */

enum stop { STOP_EOF, STOP_END, STOP_ELSE };
static int parse_list(struct parser *p, struct tnode **ret, enum stop *ret_stop, struct err *err);

static int expect_close(struct parser *p, const char *where, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = next(p);
    return t->kind == TT_CLOSE ? 0 : unexpected(p, t, where, err);
}

static int parse_branch(struct parser *p, enum tnode_kind kind, const char *word,
                        struct tnode **ret, struct err *err);

/* An {{else}} that has no place; that it is not even closed is told first. */
static int misplaced_else(struct parser *p, uint32_t line, const char *text, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = peek(p);
    bool again = t->kind == TT_IDENT && sv_eq(t->text, SV("if"));
    int r = again ? 0 : expect_close(p, "else", err);
    return r < 0 ? r : terr(err, line ? line : last_line(p), "%s", text);
}

/* After {{else: another if or with, or }} and a list. */
static int parse_else(struct parser *p, struct tnode *n, const char *word, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = peek(p);
    bool again = t->kind == TT_IDENT && sv_eq(t->text, sv_of(word));
    if (again && n->kind != TNODE_RANGE) {
        next(p);
        return parse_branch(p, n->kind, word, &n->otherwise, err); /* its {{end}} is ours */
    }
    if (t->kind == TT_IDENT && sv_eq(t->text, SV("if")))
        return unexpected(p, t, "input", err);
    int r = expect_close(p, "else", err);
    enum stop stop;
    if (r == 0)
        r = parse_list(p, &n->otherwise, &stop, err);
    if (r == 0 && stop != STOP_END)
        r = misplaced_else(p, 0, "expected end; found {{else}}", err);
    return r;
}

static int parse_branch(struct parser *p, enum tnode_kind kind, const char *word,
                        struct tnode **ret, struct err *err)
{
    struct tnode *n = ARENA_NEW(p->arena, struct tnode);
    size_t scope = p->n_vars;
    enum stop stop;
    n->kind = kind;
    *ret = n;
    if (++p->depth > MAX_DEPTH)
        return terr(err, peek(p)->line, "nested more than %d deep", MAX_DEPTH);
    int r = parse_pipe(p, word, TT_CLOSE, &n->pipe, err);
    p->range_depth += kind == TNODE_RANGE;
    if (r == 0)
        r = parse_list(p, &n->body, &stop, err);
    p->range_depth -= kind == TNODE_RANGE;
    if (r == 0 && stop == STOP_ELSE)
        r = parse_else(p, n, word, err);
    p->n_vars = scope;
    p->depth--;
    return r;
}

static int parse_name(struct parser *p, const char *where, struct str_view *ret, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = next(p);
    struct tvalue v;
    if (t->kind != TT_STRING && t->kind != TT_RAW)
        return unexpected(p, t, where, err);
    int r = string_of(p, t, &v, err);
    if (r == 0)
        *ret = v.s;
    return r;
}

/* Nothing but blanks. */
static bool is_empty(const struct tnode *n)
{
    for (; n; n = n->next)
        if (n->kind != TNODE_TEXT || sv_trim(n->text).len > 0)
            return false;
    return true;
}

struct tdefinition *find_definition(const struct template *t, struct str_view name)
{
    struct tdefinition *d = t->definitions;
    while (d && !sv_eq(d->name, name))
        d = d->next;
    return d;
}

/* A name is defined once, unless one of the definitions is empty. */
static int add_definition(struct parser *p, struct str_view name, struct tnode *body,
                          struct err *err)
{
    struct tdefinition *d = find_definition(p->t, name);
    if (d && !is_empty(d->body) && !is_empty(body))
        return terr(err, p->tokens[p->at - 1].line,
                    "template: multiple definition of template \"%.*s\"",
                    SV_ARG(sv_sub(name, 0, 200)));
    if (d && !is_empty(d->body))
        return 0;
    if (!d) {
        d = ARENA_NEW(p->arena, struct tdefinition);
        d->name = name;
        d->next = p->t->definitions;
        p->t->definitions = d;
    }
    d->body = body;
    return 0;
}

/* Its body sees no variable of ours and is in no range of ours. */
static int parse_definition_body(struct parser *p, struct str_view name, const char *where,
                                 struct err *err)
{
    struct parser outer = *p;
    uint32_t header_line = last_line(p);
    p->vars = NULL;
    p->n_vars = p->cap_vars = p->range_depth = 0;
    p->action_line = 0;
    declare(p, SV("$"));
    struct tnode *body = NULL;
    enum stop stop;
    int r = p->depth < MAX_DEPTH ? parse_list(p, &body, &stop, err)
                                 : terr(err, peek(p)->line, "nested more than %d deep", MAX_DEPTH);
    free(p->vars);
    p->vars = outer.vars;
    p->n_vars = outer.n_vars;
    p->cap_vars = outer.cap_vars;
    p->range_depth = outer.range_depth;
    bool is_block = where[0] == 'b';
    if (r == 0 && stop != STOP_END)
        r = misplaced_else(p, is_block ? header_line : 0,
                           is_block ? "unexpected {{else}} in block clause"
                                    : "unexpected {{else}} in define clause",
                           err);
    return r < 0 ? r : add_definition(p, name, body, err);
}

/* {{define "n"}}..{{end}} */
static int parse_define(struct parser *p, struct err *err)
{
    static const char WHERE[] = "define clause";
    struct str_view name;
    int r = parse_name(p, WHERE, &name, err);
    if (r == 0)
        r = expect_close(p, WHERE, err);
    return r < 0 ? r : parse_definition_body(p, name, WHERE, err);
}

/* {{block "n" pipe}}..{{end}}: defines and calls. */
static int parse_block(struct parser *p, struct tnode *n, struct err *err)
{
    static const char WHERE[] = "block clause";
    n->kind = TNODE_CALL;
    int r = parse_name(p, WHERE, &n->text, err);
    if (r == 0)
        r = parse_pipe(p, WHERE, TT_CLOSE, &n->pipe, err);
    p->depth++;
    if (r == 0)
        r = parse_definition_body(p, n->text, WHERE, err);
    p->depth--;
    return r;
}

static int parse_call(struct parser *p, struct tnode *n, struct err *err)
{
    n->kind = TNODE_CALL;
    int r = parse_name(p, "template clause", &n->text, err);
    skip_blank(p);
    if (r == 0 && peek(p)->kind == TT_CLOSE)
        next(p);
    else if (r == 0)
        r = parse_pipe(p, "template clause", TT_CLOSE, &n->pipe, err);
    return r;
}

static int parse_loop_word(struct parser *p, struct tnode *n, bool breaks, struct err *err)
{
    n->kind = breaks ? TNODE_BREAK : TNODE_CONTINUE;
    int r = expect_close(p, breaks ? "{{break}}" : "{{continue}}", err);
    if (r == 0 && p->range_depth == 0)
        r = terr(err, last_line(p), "{{%s}} outside {{range}}", breaks ? "break" : "continue");
    return r;
}

static int parse_plain_action(struct parser *p, struct tnode *n, struct err *err)
{
    n->kind = TNODE_ACTION;
    int r = parse_pipe(p, "command", TT_CLOSE, &n->pipe, err);
    struct tcommand *c = r == 0 ? n->pipe->commands : NULL;
    if (c && !c->next && c->n_args == 1 && c->args[0].kind == TARG_FIELD &&
        c->args[0].n_fields == 1 && n->pipe->n_vars == 0)
        n->field = c->args[0].fields[0];
    return r;
}

/* After {{.  *ret stays NULL where nothing is to be executed. */
static int parse_action(struct parser *p, struct tnode **ret, enum stop *stop, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = peek(p);
    struct str_view word = t->kind == TT_IDENT && is_keyword(t->text) ? t->text : SV_EMPTY;
    if (sv_eq(word, SV("end")) || sv_eq(word, SV("else"))) {
        next(p);
        *stop = word.p[1] == 'n' ? STOP_END : STOP_ELSE;
        return *stop == STOP_END ? expect_close(p, "end", err) : 0;
    }
    static const char *const BRANCHES[] = {"if", "with", "range"};
    static const enum tnode_kind KINDS[] = {TNODE_IF, TNODE_WITH, TNODE_RANGE};
    for (size_t i = 0; i < 3; i++)
        if (sv_eq(word, sv_of(BRANCHES[i]))) {
            next(p);
            return parse_branch(p, KINDS[i], BRANCHES[i], ret, err);
        }
    struct tnode *n = ARENA_NEW(p->arena, struct tnode);
    *ret = n;
    bool is_define = sv_eq(word, SV("define")), is_nil = sv_eq(word, SV("nil"));
    if (word.len == 0 || is_define || is_nil)
        return parse_plain_action(p, n, err);
    next(p);
    if (sv_eq(word, SV("block")))
        return parse_block(p, n, err);
    if (sv_eq(word, SV("template")))
        return parse_call(p, n, err);
    return parse_loop_word(p, n, word.p[0] == 'b', err);
}

/* One text or action, appended at *at.  *stop other than EOF: it was {{end}} or {{else. */
static int parse_node(struct parser *p, struct tnode **at, enum stop *stop, struct err *err)
{
    struct ttoken *t = next(p);
    *stop = STOP_EOF;
    if (t->kind == TT_TEXT) {
        *at = ARENA_NEW(p->arena, struct tnode);
        (*at)->kind = TNODE_TEXT;
        (*at)->text = t->text;
        return 0;
    }
    if (t->kind != TT_OPEN)
        return unexpected(p, t, "input", err);
    p->action_line = t->line;
    int r = parse_action(p, at, stop, err);
    p->action_line = 0;
    return r;
}

/* Up to {{end}} or {{else. */
static int parse_list(struct parser *p, struct tnode **ret, enum stop *ret_stop, struct err *err)
{
    struct tnode **at = ret;
    *at = NULL;
    for (;;) {
        int r = parse_node(p, at, ret_stop, err);
        if (r < 0 || *ret_stop != STOP_EOF)
            return r;
        if (*at)
            at = &(*at)->next;
    }
}

/* {{define is taken here only. */
static bool take_define(struct parser *p)
{
    if (peek(p)->kind != TT_OPEN)
        return false;
    size_t at = p->at + 1;
    at += p->tokens[at].kind == TT_BLANK;
    if (p->tokens[at].kind != TT_IDENT || !sv_eq(p->tokens[at].text, SV("define")))
        return false;
    p->at = at + 1;
    return true;
}

static int parse_top(struct parser *p, struct tnode **at, struct err *err)
{
    while (peek(p)->kind != TT_END) {
        enum stop stop = STOP_EOF;
        int r = take_define(p) ? parse_define(p, err) : parse_node(p, at, &stop, err);
        if (r == 0 && stop == STOP_ELSE)
            r = misplaced_else(p, 0, "unexpected {{else}}", err);
        else if (r == 0 && stop == STOP_END)
            r = terr(err, last_line(p), "unexpected {{end}}");
        if (r < 0)
            return r;
        if (*at)
            at = &(*at)->next;
    }
    return 0;
}

int template_parse(struct arena *a, struct str_view text, struct template **ret, struct err *err)
{
    struct template *t = ARENA_NEW(a, struct template);
    struct parser p = {.arena = a, .t = t};
    t->text = text;
    p.tokens = ttokens_of(a, text);
    declare(&p, SV("$"));
    struct tnode *body = NULL;
    int r = parse_top(&p, &body, err);
    free(p.vars);
    if (r == 0)
        r = add_definition(&p, SV("line"), body, err);
    if (r < 0)
        return r;
    t->body = find_definition(t, SV("line"))->body;
    *ret = t;
    return 0;
}

/* --- which labels are read --- */

struct fields_walk {
    void (*fn)(void *ctx, struct str_view name);
    void *ctx;
    bool all;
    bool dot_moved; /* inside with and range "." is something else */
};

static void walk_pipe(struct fields_walk *w, const struct tpipe *pipe);

static void walk_arg(struct fields_walk *w, const struct targ *arg)
{
    bool root = arg->kind == TARG_FIELD || (arg->kind == TARG_VAR && sv_eq(arg->name, SV("$")));
    if (arg->kind == TARG_PIPE)
        walk_pipe(w, arg->pipe);
    else if (root && arg->n_fields)
        w->fn(w->ctx, arg->fields[0]); /* under a moved dot it names too much, never too little */
    else if ((arg->kind == TARG_DOT && !w->dot_moved) || root)
        w->all = true;
}

static void walk_pipe(struct fields_walk *w, const struct tpipe *pipe)
{
    for (const struct tcommand *c = pipe ? pipe->commands : NULL; c; c = c->next)
        for (size_t i = 0; i < c->n_args; i++)
            walk_arg(w, &c->args[i]);
}

static void walk_nodes(struct fields_walk *w, const struct tnode *n)
{
    for (; n; n = n->next) {
        bool moved = w->dot_moved;
        walk_pipe(w, n->pipe);
        w->dot_moved |= n->kind == TNODE_WITH || n->kind == TNODE_RANGE;
        walk_nodes(w, n->body);
        w->dot_moved = moved;
        walk_nodes(w, n->otherwise);
    }
}

bool template_fields(const struct template *t, void (*fn)(void *ctx, struct str_view name),
                     void *ctx)
{
    struct fields_walk w = {.fn = fn, .ctx = ctx};
    for (const struct tdefinition *d = t->definitions; d; d = d->next)
        walk_nodes(&w, d->body);
    return !w.all;
}
