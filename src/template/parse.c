/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of a template: texts, actions, branches, definitions. */
#include "template/const.h"
#include "template/parser.h"

enum stop { STOP_EOF, STOP_END, STOP_ELSE };
static int parse_list(struct tparser *p, struct tnode **ret, enum stop *ret_stop, struct err *err);

static int expect_close(struct tparser *p, const char *where, struct err *err)
{
    tparser_skip_blank(p);
    struct ttoken *t = tparser_next(p);
    return t->kind == TT_CLOSE ? 0 : tparser_unexpected(p, t, where, err);
}

static int parse_branch(struct tparser *p, enum tnode_kind kind, const char *word,
                        struct tnode **ret, struct err *err);

/* An {{else}} that has no place; that it is not even closed is told first. */
static int misplaced_else(struct tparser *p, uint32_t line, const char *text, struct err *err)
{
    tparser_skip_blank(p);
    struct ttoken *t = tparser_peek(p);
    bool again = t->kind == TT_IDENT && sv_eq(t->text, SV("if"));
    int r = again ? 0 : expect_close(p, "else", err);
    return r < 0 ? r : terr(err, line ? line : tparser_last_line(p), "%s", text);
}

/* After {{else: another if or with, or }} and a list. */
static int parse_else(struct tparser *p, struct tnode *n, const char *word, struct err *err)
{
    tparser_skip_blank(p);
    struct ttoken *t = tparser_peek(p);
    bool again = t->kind == TT_IDENT && sv_eq(t->text, sv_of(word));
    if (again && n->kind != TNODE_RANGE) {
        tparser_next(p);
        return parse_branch(p, n->kind, word, &n->otherwise, err); /* its {{end}} is ours */
    }
    if (t->kind == TT_IDENT && sv_eq(t->text, SV("if")))
        return tparser_unexpected(p, t, "input", err);
    int r = expect_close(p, "else", err);
    enum stop stop;
    if (r == 0)
        r = parse_list(p, &n->otherwise, &stop, err);
    if (r == 0 && stop != STOP_END)
        r = misplaced_else(p, 0, "expected end; found {{else}}", err);
    return r;
}

static int parse_branch(struct tparser *p, enum tnode_kind kind, const char *word,
                        struct tnode **ret, struct err *err)
{
    struct tnode *n = ARENA_NEW(p->arena, struct tnode);
    size_t scope = p->n_vars;
    enum stop stop;
    n->kind = kind;
    *ret = n;
    if (++p->depth > TPARSER_MAX_DEPTH)
        return terr(err, tparser_peek(p)->line, "nested more than %d deep", TPARSER_MAX_DEPTH);
    int r = tparser_pipe(p, word, TT_CLOSE, &n->pipe, err);
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

static int parse_name(struct tparser *p, const char *where, struct str_view *ret, struct err *err)
{
    tparser_skip_blank(p);
    struct ttoken *t = tparser_next(p);
    struct tvalue v;
    if (t->kind != TT_STRING && t->kind != TT_RAW)
        return tparser_unexpected(p, t, where, err);
    int r = tconst_string(p->arena, t, &v, err);
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
static int add_definition(struct tparser *p, struct str_view name, struct tnode *body,
                          struct err *err)
{
    struct tdefinition *d = find_definition(p->t, name);
    if (d && !is_empty(d->body) && !is_empty(body))
        return terr(
            err, tparser_peek(p)->kind == TT_END ? tparser_peek(p)->line : tparser_last_line(p),
            "template: multiple definition of template \"%.*s\"", SV_ARG(sv_sub(name, 0, 200)));
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
static int parse_definition_body(struct tparser *p, struct str_view name, const char *where,
                                 struct err *err)
{
    struct tparser outer = *p;
    uint32_t header_line = tparser_last_line(p);
    p->vars = NULL;
    p->n_vars = p->cap_vars = p->range_depth = 0;
    p->action_line = 0;
    tparser_declare(p, SV("$"));
    struct tnode *body = NULL;
    enum stop stop;
    int r = p->depth < TPARSER_MAX_DEPTH
                ? parse_list(p, &body, &stop, err)
                : terr(err, tparser_peek(p)->line, "nested more than %d deep", TPARSER_MAX_DEPTH);
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
static int parse_define(struct tparser *p, struct err *err)
{
    static const char WHERE[] = "define clause";
    struct str_view name;
    int r = parse_name(p, WHERE, &name, err);
    if (r == 0)
        r = expect_close(p, WHERE, err);
    return r < 0 ? r : parse_definition_body(p, name, WHERE, err);
}

/* {{block "n" pipe}}..{{end}}: defines and calls. */
static int parse_block(struct tparser *p, struct tnode *n, struct err *err)
{
    static const char WHERE[] = "block clause";
    n->kind = TNODE_CALL;
    int r = parse_name(p, WHERE, &n->text, err);
    if (r == 0)
        r = tparser_pipe(p, WHERE, TT_CLOSE, &n->pipe, err);
    p->depth++;
    if (r == 0)
        r = parse_definition_body(p, n->text, WHERE, err);
    p->depth--;
    return r;
}

static int parse_call(struct tparser *p, struct tnode *n, struct err *err)
{
    n->kind = TNODE_CALL;
    int r = parse_name(p, "template clause", &n->text, err);
    tparser_skip_blank(p);
    if (r == 0 && tparser_peek(p)->kind == TT_CLOSE)
        tparser_next(p);
    else if (r == 0)
        r = tparser_pipe(p, "template clause", TT_CLOSE, &n->pipe, err);
    return r;
}

static int parse_loop_word(struct tparser *p, struct tnode *n, bool breaks, struct err *err)
{
    n->kind = breaks ? TNODE_BREAK : TNODE_CONTINUE;
    int r = expect_close(p, breaks ? "{{break}}" : "{{continue}}", err);
    if (r == 0 && p->range_depth == 0)
        r = terr(err, tparser_last_line(p), "{{%s}} outside {{range}}",
                 breaks ? "break" : "continue");
    return r;
}

static int parse_plain_action(struct tparser *p, struct tnode *n, struct err *err)
{
    n->kind = TNODE_ACTION;
    int r = tparser_pipe(p, "command", TT_CLOSE, &n->pipe, err);
    struct tcommand *c = r == 0 ? n->pipe->commands : NULL;
    if (c && !c->next && c->n_args == 1 && c->args[0].kind == TARG_FIELD &&
        c->args[0].n_fields == 1 && n->pipe->n_vars == 0)
        n->field = c->args[0].fields[0];
    return r;
}

/* After {{.  *ret stays NULL where nothing is to be executed. */
static int parse_action(struct tparser *p, struct tnode **ret, enum stop *stop, struct err *err)
{
    tparser_skip_blank(p);
    struct ttoken *t = tparser_peek(p);
    struct str_view word = t->kind == TT_IDENT && tparser_is_keyword(t->text) ? t->text : SV_EMPTY;
    if (sv_eq(word, SV("end")) || sv_eq(word, SV("else"))) {
        tparser_next(p);
        *stop = word.p[1] == 'n' ? STOP_END : STOP_ELSE;
        return *stop == STOP_END ? expect_close(p, "end", err) : 0;
    }
    static const char *const BRANCHES[] = {"if", "with", "range"};
    static const enum tnode_kind KINDS[] = {TNODE_IF, TNODE_WITH, TNODE_RANGE};
    size_t branch = sv_which(word, BRANCHES, 3);
    if (branch < 3) {
        tparser_next(p);
        return parse_branch(p, KINDS[branch], BRANCHES[branch], ret, err);
    }
    struct tnode *n = ARENA_NEW(p->arena, struct tnode);
    *ret = n;
    bool is_define = sv_eq(word, SV("define")), is_nil = sv_eq(word, SV("nil"));
    if (word.len == 0 || is_define || is_nil)
        return parse_plain_action(p, n, err);
    tparser_next(p);
    if (sv_eq(word, SV("block")))
        return parse_block(p, n, err);
    if (sv_eq(word, SV("template")))
        return parse_call(p, n, err);
    return parse_loop_word(p, n, word.p[0] == 'b', err);
}

/* One text or action, appended at *at.  *stop other than EOF: it was {{end}} or {{else. */
static int parse_node(struct tparser *p, struct tnode **at, enum stop *stop, struct err *err)
{
    struct ttoken *t = tparser_next(p);
    *stop = STOP_EOF;
    if (t->kind == TT_TEXT) {
        *at = ARENA_NEW(p->arena, struct tnode);
        (*at)->kind = TNODE_TEXT;
        (*at)->text = t->text;
        return 0;
    }
    if (t->kind != TT_OPEN)
        return tparser_unexpected(p, t, "input", err);
    p->action_line = t->line;
    int r = parse_action(p, at, stop, err);
    p->action_line = 0;
    return r;
}

/* Up to {{end}} or {{else. */
static int parse_list(struct tparser *p, struct tnode **ret, enum stop *ret_stop, struct err *err)
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
static bool take_define(struct tparser *p)
{
    if (tparser_peek(p)->kind != TT_OPEN)
        return false;
    size_t at = p->at + 1;
    at += p->tokens[at].kind == TT_BLANK;
    if (p->tokens[at].kind != TT_IDENT || !sv_eq(p->tokens[at].text, SV("define")))
        return false;
    p->at = at + 1;
    return true;
}

static int parse_top(struct tparser *p, struct tnode **at, struct err *err)
{
    while (tparser_peek(p)->kind != TT_END) {
        enum stop stop = STOP_EOF;
        int r = take_define(p) ? parse_define(p, err) : parse_node(p, at, &stop, err);
        if (r == 0 && stop == STOP_ELSE)
            r = misplaced_else(p, 0, "unexpected {{else}}", err);
        else if (r == 0 && stop == STOP_END)
            r = terr(err, tparser_last_line(p), "unexpected {{end}}");
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
    struct tparser p = {.arena = a, .t = t};
    t->text = text;
    p.tokens = ttokens_of(a, text);
    tparser_declare(&p, SV("$"));
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
