/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/utf8.h"
#include "logql/template_ast.h"
#include "logql/template_func.h"
#include "logql/template_lex.h"

enum { MAX_DEPTH = 100 }; /* of nested blocks and parentheses */

struct parser {
    struct arena *arena;
    struct template *t;
    struct ttoken *tokens;
    size_t at;
    struct str_view *vars; /* in scope */
    size_t n_vars, cap_vars;
    unsigned depth, range_depth;
};

static struct ttoken *peek(struct parser *p)
{
    return &p->tokens[p->at];
}

static struct ttoken *next(struct parser *p)
{
    struct ttoken *t = &p->tokens[p->at];
    p->at += t->kind != TT_END;
    return t;
}

static void skip_blank(struct parser *p)
{
    while (peek(p)->kind == TT_BLANK)
        p->at++;
}

static int unexpected(struct ttoken *t, const char *where, struct err *err)
{
    if (t->kind == TT_END)
        return terr(err, t->line, "unexpected EOF");
    return terr(err, t->line, "unexpected \"%.*s\" in %s", SV_ARG(t->text), where);
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

static int number_of(struct ttoken *t, struct tvalue *ret, struct err *err)
{
    char copy[64], *end;
    size_t n = 0;
    for (size_t i = 0; i < t->text.len && n < sizeof copy - 1; i++)
        if (t->text.p[i] != '_')
            copy[n++] = t->text.p[i];
    copy[n] = '\0';
    const char *digits = copy + (copy[0] == '+' || copy[0] == '-');
    int base = digits[0] == '0' && (digits[1] | 0x20) == 'b'              ? 2
               : digits[0] == '0' && (digits[1] | 0x20) == 'o'            ? 8
               : digits[0] == '0' && digits[1] >= '0' && digits[1] <= '7' ? 8
               : digits[0] == '0' && (digits[1] | 0x20) == 'x'            ? 16
                                                                          : 10;
    bool prefixed = base == 2 || (base == 8 && (digits[1] | 0x20) == 'o');
    long long i = strtoll(prefixed ? digits + 2 : digits, &end, base);
    if (*end == '\0' && n) {
        *ret = tv_int(copy[0] == '-' ? -i : i);
        ret->literal = true;
        return 0;
    }
    double f = strtod(copy, &end);
    if (*end || !n)
        return terr(err, t->line, "bad number syntax: \"%.*s\"", SV_ARG(t->text));
    *ret = tv_float(f);
    ret->literal = true;
    return 0;
}

static int char_of(struct parser *p, struct ttoken *t, struct tvalue *ret, struct err *err)
{
    struct str_view text;
    uint32_t c = 0;
    bool ok = unquote(p->arena, sv_sub(t->text, 1, t->text.len - 2), '\'', &text);
    size_t n = ok ? utf8_decode(text, &c) : 0;
    if (ok && n == 0 && text.len == 1) {
        c = (unsigned char)text.p[0];
        n = 1;
    }
    if (!ok || n == 0 || n != text.len)
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

/* 1: an operand was read; 0: the next token is none. */
static int parse_operand(struct parser *p, const char *where, struct targ *arg, struct err *err)
{
    struct ttoken *t = peek(p);
    int r = 0;
    switch (t->kind) {
    case TT_IDENT:
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
        r = parse_pipe(p, where, TT_RIGHT, &arg->pipe, err);
        p->depth--;
        break;
    default:
        return 0;
    }
    if (r < 0)
        return r;
    if (peek(p)->kind == TT_FIELD) {
        if (arg->kind == TARG_CONST || arg->kind == TARG_NIL)
            return terr(err, t->line, "unexpected . after term \"%.*s\"", SV_ARG(t->text));
        take_fields(p, arg);
    }
    struct ttoken *last = &p->tokens[p->at - 1];
    arg->source = sv(t->text.p, (size_t)(last->text.p + last->text.len - t->text.p));
    return 1;
}

static int parse_command(struct parser *p, const char *where, struct tcommand **ret,
                         struct err *err)
{
    struct tcommand *c = ARENA_NEW(p->arena, struct tcommand);
    struct targ *args = NULL;
    size_t cap = 0;
    int r = 0;
    const char *start = peek(p)->text.p;
    for (;;) {
        skip_blank(p);
        struct targ arg = {0};
        r = parse_operand(p, where, &arg, err);
        if (r <= 0)
            break;
        args = mem_grow(args, &cap, c->n_args + 1, sizeof *args);
        args[c->n_args++] = arg;
        c->source = sv(start, (size_t)(arg.source.p + arg.source.len - start));
        if (peek(p)->kind != TT_BLANK)
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

/* $x :=   $i, $v :=   $x = ; nothing otherwise. */
static int parse_declarations(struct parser *p, const char *where, struct tpipe *pipe,
                              struct err *err)
{
    size_t start = p->at;
    struct str_view names[2];
    size_t n = 0;
    for (;;) {
        skip_blank(p);
        if (peek(p)->kind != TT_VARIABLE || n == 2)
            break;
        names[n++] = next(p)->text;
        skip_blank(p);
        if (n == 1 && peek(p)->kind == TT_COMMA && !strcmp(where, "range"))
            p->at++;
        else
            break;
    }
    enum ttoken_kind kind = peek(p)->kind;
    if (n == 0 || (kind != TT_DECLARE && kind != TT_ASSIGN)) {
        p->at = start;
        return 0;
    }
    next(p);
    pipe->assigns = kind == TT_ASSIGN;
    for (size_t i = 0; i < n; i++) {
        if (pipe->assigns && !declared(p, names[i]))
            return terr(err, peek(p)->line, "undefined variable \"%.*s\"", SV_ARG(names[i]));
        pipe->vars[pipe->n_vars++] = names[i];
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
        if (peek(p)->kind == end && at == &pipe->commands)
            return terr(err, peek(p)->line, "missing value for %s",
                        end == TT_RIGHT ? "parenthesized pipeline" : where);
        r = parse_command(p, where, at, err);
        if (r < 0)
            break;
        if (at != &pipe->commands) {
            enum targ_kind kind = (*at)->args[0].kind;
            if (kind == TARG_CONST || kind == TARG_NIL || kind == TARG_DOT)
                return terr(err, peek(p)->line, "non executable command in pipeline stage 2");
        }
        skip_blank(p);
        struct ttoken *t = peek(p);
        if (t->kind == TT_PIPE) {
            next(p);
            continue;
        }
        if (t->kind != end)
            return unexpected(t, where, err);
        pipe->source = sv(first->text.p, (size_t)(t->text.p - first->text.p));
        next(p);
        break;
    }
    for (size_t i = 0; r == 0 && !pipe->assigns && i < pipe->n_vars; i++)
        declare(p, pipe->vars[i]);
    return r;
}

/* --- nodes --- */

enum stop { STOP_EOF, STOP_END, STOP_ELSE };
static int parse_list(struct parser *p, struct tnode **ret, enum stop *ret_stop, struct err *err);

static int expect_close(struct parser *p, const char *where, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = next(p);
    return t->kind == TT_CLOSE ? 0 : unexpected(t, where, err);
}

static int parse_branch(struct parser *p, enum tnode_kind kind, const char *word,
                        struct tnode **ret, struct err *err);

/* After {{else: another if or with, or }} and a list. */
static int parse_else(struct parser *p, struct tnode *n, const char *word, struct err *err)
{
    skip_blank(p);
    bool chains =
        peek(p)->kind == TT_IDENT && sv_eq(peek(p)->text, sv_of(word)) && n->kind != TNODE_RANGE;
    if (chains) {
        next(p);
        return parse_branch(p, n->kind, word, &n->otherwise, err); /* its {{end}} is ours */
    }
    int r = expect_close(p, "else", err);
    enum stop stop;
    if (r == 0)
        r = parse_list(p, &n->otherwise, &stop, err);
    if (r == 0 && stop != STOP_END)
        r = terr(err, peek(p)->line,
                 stop == STOP_ELSE ? "expected end; found {{else}}" : "unexpected EOF");
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
    else if (r == 0 && stop == STOP_EOF)
        r = terr(err, peek(p)->line, "unexpected EOF");
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
        return unexpected(t, where, err);
    int r = string_of(p, t, &v, err);
    if (r == 0)
        *ret = v.s;
    return r;
}

/* {{define "n"}}..{{end}}; {{block "n" pipe}}..{{end}} also calls it. */
static int parse_definition(struct parser *p, bool block, struct tnode **ret, struct err *err)
{
    struct tdefinition *d = ARENA_NEW(p->arena, struct tdefinition);
    struct tnode *call = block ? ARENA_NEW(p->arena, struct tnode) : NULL;
    const char *where = block ? "block clause" : "define clause";
    int r = parse_name(p, where, &d->name, err);
    if (r == 0 && block) {
        call->kind = TNODE_CALL;
        call->text = d->name;
        r = parse_pipe(p, where, TT_CLOSE, &call->pipe, err);
    } else if (r == 0) {
        r = expect_close(p, where, err);
    }
    struct str_view dollar = SV("$"), *outer = p->vars;
    size_t n_outer = p->n_vars, cap_outer = p->cap_vars;
    p->vars = NULL;
    p->n_vars = p->cap_vars = 0;
    declare(p, dollar);
    enum stop stop = STOP_END;
    if (r == 0)
        r = parse_list(p, &d->body, &stop, err);
    free(p->vars);
    p->vars = outer;
    p->n_vars = n_outer;
    p->cap_vars = cap_outer;
    if (r == 0 && stop != STOP_END)
        r = terr(err, peek(p)->line, "unexpected EOF");
    d->next = p->t->definitions;
    p->t->definitions = d;
    *ret = call;
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
    const char *word = breaks ? "break" : "continue";
    if (p->range_depth == 0)
        return terr(err, peek(p)->line, "{{%s}} outside {{range}}", word);
    n->kind = breaks ? TNODE_BREAK : TNODE_CONTINUE;
    return expect_close(p, word, err);
}

/* After {{.  *ret stays NULL where nothing is to be executed. */
static int parse_action(struct parser *p, struct tnode **ret, enum stop *stop, struct err *err)
{
    skip_blank(p);
    struct ttoken *t = peek(p);
    struct str_view word = t->kind == TT_IDENT ? t->text : SV_EMPTY;
    struct tnode *n = ARENA_NEW(p->arena, struct tnode);
    size_t before = p->at++;
    if (sv_eq(word, SV("if")))
        return parse_branch(p, TNODE_IF, "if", ret, err);
    if (sv_eq(word, SV("with")))
        return parse_branch(p, TNODE_WITH, "with", ret, err);
    if (sv_eq(word, SV("range")))
        return parse_branch(p, TNODE_RANGE, "range", ret, err);
    if (sv_eq(word, SV("define")) || sv_eq(word, SV("block")))
        return parse_definition(p, word.p[0] == 'b', ret, err);
    if (sv_eq(word, SV("end"))) {
        *stop = STOP_END;
        return expect_close(p, "end", err);
    }
    if (sv_eq(word, SV("else"))) {
        *stop = STOP_ELSE;
        return 0;
    }
    *ret = n;
    if (sv_eq(word, SV("template")))
        return parse_call(p, n, err);
    if (sv_eq(word, SV("break")) || sv_eq(word, SV("continue")))
        return parse_loop_word(p, n, word.p[0] == 'b', err);
    p->at = before;
    n->kind = TNODE_ACTION;
    int r = parse_pipe(p, "command", TT_CLOSE, &n->pipe, err);
    struct tcommand *c = r == 0 ? n->pipe->commands : NULL;
    if (c && !c->next && c->n_args == 1 && c->args[0].kind == TARG_FIELD &&
        c->args[0].n_fields == 1 && n->pipe->n_vars == 0)
        n->field = c->args[0].fields[0];
    return r;
}

/* Up to {{end}}, {{else or the end of the text. */
static int parse_list(struct parser *p, struct tnode **ret, enum stop *ret_stop, struct err *err)
{
    struct tnode **at = ret;
    *at = NULL;
    for (;;) {
        struct ttoken *t = next(p);
        if (t->kind == TT_END) {
            *ret_stop = STOP_EOF;
            return 0;
        }
        if (t->kind == TT_TEXT) {
            *at = ARENA_NEW(p->arena, struct tnode);
            (*at)->kind = TNODE_TEXT;
            (*at)->text = t->text;
            at = &(*at)->next;
            continue;
        }
        enum stop stop = STOP_EOF;
        int r = parse_action(p, at, &stop, err);
        if (r < 0)
            return r;
        if (stop != STOP_EOF) {
            *ret_stop = stop;
            return 0;
        }
        if (*at)
            at = &(*at)->next;
    }
}

int template_parse(struct arena *a, struct str_view text, struct template **ret, struct err *err)
{
    struct template *t = ARENA_NEW(a, struct template);
    struct parser p = {.arena = a, .t = t};
    size_t n_tokens;
    t->text = text;
    int r = ttokens_of(a, text, &p.tokens, &n_tokens, err);
    declare(&p, SV("$"));
    enum stop stop = STOP_EOF;
    if (r == 0)
        r = parse_list(&p, &t->body, &stop, err);
    if (r == 0 && stop != STOP_EOF)
        r = terr(err, peek(&p)->line,
                 stop == STOP_END ? "unexpected {{end}}" : "unexpected {{else}}");
    free(p.vars);
    t->bare_field = t->body && !t->body->next && t->body->field.len;
    if (r == 0)
        *ret = t;
    return r;
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
    walk_nodes(&w, t->body);
    for (const struct tdefinition *d = t->definitions; d; d = d->next)
        walk_nodes(&w, d->body);
    return !w.all;
}
