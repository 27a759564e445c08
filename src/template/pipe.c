/* SPDX-License-Identifier: Apache-2.0 */
/* Parses what stands inside {{ }}: `$x := cmd | cmd`, commands of operands, chains of names,
 * parentheses.  Names of functions and variables are looked up here, so that a template with an
 * unknown one is refused before any row is read. */
#include "template/parser.h"

#include "base/go_quote.h"
#include "model/labels.h"
#include "template/const.h"
#include "template/func.h"

static void take_fields(struct tparser *p, struct targ *arg)
{
    size_t cap = 0;
    struct str_view *fields = NULL;
    while (tparser_peek(p)->kind == TT_FIELD) {
        fields = mem_grow(fields, &cap, arg->n_fields + 1, sizeof *fields);
        fields[arg->n_fields++] = sv_from(tparser_next(p)->text, 1);
    }
    if (fields) {
        struct str_view *kept = arena_alloc(p->arena, arg->n_fields * sizeof *kept);
        memcpy(kept, fields, arg->n_fields * sizeof *kept);
        arg->fields = kept;
    }
    free(fields);
}

static int parse_ident(struct tparser *p, struct ttoken *t, struct targ *arg, struct err *err)
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
static int parse_operand(struct tparser *p, struct targ *arg, struct err *err)
{
    struct ttoken *t = tparser_peek(p);
    int r = 0;
    switch (t->kind) {
    case TT_IDENT:
        if (tparser_is_keyword(t->text) && !sv_eq(t->text, SV("nil")))
            return 0;
        tparser_next(p);
        r = parse_ident(p, t, arg, err);
        break;
    case TT_DOT:
        tparser_next(p);
        arg->kind = TARG_DOT;
        break;
    case TT_FIELD:
        arg->kind = TARG_FIELD;
        break;
    case TT_VARIABLE:
        tparser_next(p);
        arg->kind = TARG_VAR;
        arg->name = t->text;
        if (!tparser_declared(p, t->text))
            return terr(err, t->line, "undefined variable \"%.*s\"", SV_ARG(t->text));
        break;
    case TT_STRING:
    case TT_RAW:
        tparser_next(p);
        arg->kind = TARG_CONST;
        r = tconst_string(p->arena, t, &arg->value, err);
        break;
    case TT_CHAR:
        tparser_next(p);
        arg->kind = TARG_CONST;
        r = tconst_char(p->arena, t, &arg->value, err);
        break;
    case TT_NUMBER:
        tparser_next(p);
        arg->kind = TARG_CONST;
        r = tconst_number(t, &arg->value, err);
        break;
    case TT_LEFT:
        tparser_next(p);
        arg->kind = TARG_PIPE;
        if (++p->depth > TPARSER_MAX_DEPTH)
            return terr(err, t->line, "nested more than %d deep", TPARSER_MAX_DEPTH);
        r = tparser_pipe(p, "parenthesized pipeline", TT_RIGHT, &arg->pipe, err);
        p->depth--;
        break;
    default:
        return 0;
    }
    if (r < 0)
        return r;
    if (tparser_peek(p)->kind == TT_FIELD) {
        if (arg->kind == TARG_CONST || arg->kind == TARG_NIL || arg->kind == TARG_DOT)
            return unexpected_dot(t, err);
        take_fields(p, arg);
    }
    struct ttoken *last = &p->tokens[p->at - 1];
    arg->source = sv(t->text.p, (size_t)(last->text.p + last->text.len - t->text.p));
    return 1;
}

static int parse_command(struct tparser *p, struct tcommand **ret, struct err *err)
{
    struct tcommand *c = ARENA_NEW(p->arena, struct tcommand);
    struct targ *args = NULL;
    size_t cap = 0;
    int r = 0;
    const char *start = tparser_peek(p)->text.p;
    for (;;) {
        tparser_skip_blank(p);
        struct targ arg = {0};
        r = parse_operand(p, &arg, err);
        if (r < 0)
            break;
        if (r > 0) {
            args = mem_grow(args, &cap, c->n_args + 1, sizeof *args);
            args[c->n_args++] = arg;
            c->source = sv(start, (size_t)(arg.source.p + arg.source.len - start));
        }
        enum ttoken_kind after = tparser_peek(p)->kind;
        if (after == TT_BLANK)
            continue;
        if (after != TT_PIPE && after != TT_CLOSE && after != TT_RIGHT)
            r = tparser_unexpected(p, tparser_peek(p), "operand", err);
        break;
    }
    if (r >= 0 && c->n_args == 0)
        r = terr(err, tparser_peek(p)->line, "empty command");
    if (r >= 0) {
        c->args = arena_alloc(p->arena, c->n_args * sizeof *args);
        memcpy(c->args, args, c->n_args * sizeof *args);
    }
    free(args);
    *ret = c;
    return r < 0 ? r : 0;
}

static void add_declared(struct tparser *p, struct tpipe *pipe, struct str_view name)
{
    pipe->vars[pipe->n_vars++] = name;
    tparser_declare(p, name);
}

/* $x :=   $i, $v :=   $x = ; nothing otherwise.  Whether an assigned variable exists shows when it
 * is executed. */
static int parse_declarations(struct tparser *p, const char *where, struct tpipe *pipe,
                              struct err *err)
{
    for (;;) {
        tparser_skip_blank(p);
        size_t start = p->at;
        if (tparser_peek(p)->kind != TT_VARIABLE)
            return 0;
        struct str_view name = tparser_next(p)->text;
        tparser_skip_blank(p);
        enum ttoken_kind kind = tparser_peek(p)->kind;
        if (kind == TT_DECLARE || kind == TT_ASSIGN) {
            tparser_next(p);
            pipe->assigns = kind == TT_ASSIGN;
            add_declared(p, pipe, name);
            return 0;
        }
        if (kind != TT_COMMA) {
            p->at = start;
            return 0;
        }
        tparser_next(p);
        if (strcmp(where, "range") != 0 || pipe->n_vars == 1)
            return terr(err, tparser_peek(p)->line, "too many declarations in %s", where);
        add_declared(p, pipe, name);
        tparser_skip_blank(p);
        kind = tparser_peek(p)->kind;
        if (kind != TT_VARIABLE && kind != TT_CLOSE && kind != TT_RIGHT)
            return terr(err, tparser_peek(p)->line, "range can only initialize variables");
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
static int check_pipe(struct tparser *p, const struct tpipe *pipe, const char *where,
                      struct err *err)
{
    const struct tcommand *c = pipe->commands;
    if (!c)
        return terr(err, tparser_peek(p)->line, "missing value for %s", where);
    for (int stage = 2; (c = c->next); stage++) {
        enum targ_kind kind = c->args[0].n_fields ? TARG_FIELD : c->args[0].kind;
        if (kind == TARG_CONST || kind == TARG_NIL || kind == TARG_DOT)
            return terr(err, tparser_peek(p)->line, "non executable command in pipeline stage %d",
                        stage);
    }
    return 0;
}

int tparser_pipe(struct tparser *p, const char *where, enum ttoken_kind end, struct tpipe **ret,
                 struct err *err)
{
    struct tpipe *pipe = ARENA_NEW(p->arena, struct tpipe);
    *ret = pipe;
    tparser_skip_blank(p);
    struct ttoken *first = tparser_peek(p);
    pipe->line = first->line;
    pipe->col = first->col;
    int r = parse_declarations(p, where, pipe, err);
    for (struct tcommand **at = &pipe->commands; r == 0; at = &(*at)->next) {
        tparser_skip_blank(p);
        struct ttoken *t = tparser_peek(p);
        if (t->kind == end) {
            size_t bytes = (size_t)(t->text.p - first->text.p);
            pipe->source = sv_trim(sv(first->text.p, bytes));
            r = check_pipe(p, pipe, where, err);
            tparser_next(p);
            return r;
        }
        if (!starts_operand(t->kind) ||
            (t->kind == TT_IDENT && tparser_is_keyword(t->text) && !sv_eq(t->text, SV("nil"))))
            return tparser_unexpected(p, t, where, err);
        r = parse_command(p, at, err);
        if (r == 0 && tparser_peek(p)->kind == TT_PIPE)
            tparser_next(p);
    }
    return r;
}
