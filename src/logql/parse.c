/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions by precedence climbing.  A log expression is an operand like any other to the
 * grammar; that it cannot be one is said when the operation is built, with Loki's text. */
#include "logql/parse.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/values.h"
#include "logql/arith.h"
#include "logql/check.h"
#include "logql/parser.h"

int parser_next(struct parser *p)
{
    return lexer_next(&p->lx, &p->tok, p->err);
}

int parser_unexpected(struct parser *p, const char *expecting)
{
    return token_fail(&p->tok, p->err, "syntax error: unexpected %s%s%s", token_text(&p->tok),
                      expecting ? ", expecting " : "", expecting ? expecting : "");
}

int parser_take(struct parser *p, enum token_kind kind, const char *expecting)
{
    return p->tok.kind == kind ? parser_next(p) : parser_unexpected(p, expecting);
}

int parser_take_text(struct parser *p, enum token_kind kind, const char *expecting,
                     struct str_view *ret)
{
    *ret = p->tok.text;
    return parser_take(p, kind, expecting);
}

int parser_too_deep(struct parser *p)
{
    return token_fail(&p->tok, p->err, "expression nests deeper than %d levels", NEST_MAX);
}

int parser_fail(struct parser *p, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(p->err, ERR_INVALID, "parse error : %s", text);
}

void *parser_grow(struct parser *p, const void *list, size_t n, size_t elem_bytes)
{
    enum { FIRST = 4 };
    bool full = n == 0 || (n >= FIRST && (n & (n - 1)) == 0);
    if (!full) {
        union {
            const void *in;
            void *out;
        } same = {.in = list};
        return same.out;
    }
    void *bigger = arena_zalloc(p->arena, n ? 2 * n : FIRST, elem_bytes);
    if (n)
        memcpy(bigger, list, n * elem_bytes);
    return bigger;
}

int parser_take_number(struct parser *p, double *ret, struct str_view *ret_text)
{
    char sign = p->tok.kind == T_SUB ? '-' : p->tok.kind == T_ADD ? '+' : '\0';
    int r = sign ? parser_next(p) : 0;
    if (r < 0)
        return r;
    if (p->tok.kind != T_NUMBER)
        return parser_unexpected(p, sign ? "NUMBER" : NULL);
    struct err cause;
    if (number_parse(p->tok.text, ret, &cause) < 0)
        return parser_fail(p, "unable to parse literal as a float: %s", cause.text);
    *ret_text = p->tok.text;
    if (sign == '-') {
        *ret = -*ret;
        *ret_text = arena_printf(p->arena, "-%.*s", SV_ARG(p->tok.text));
    }
    return parser_next(p);
}

static struct logql_expr *new_expr(struct parser *p, enum logql_kind kind)
{
    struct logql_expr *e = ARENA_NEW(p->arena, struct logql_expr);
    e->kind = kind;
    e->depth = 1;
    return e;
}

static int parse_literal(struct parser *p, const struct logql_expr **ret)
{
    struct logql_expr *e = new_expr(p, LOGQL_LITERAL);
    struct str_view text;
    *ret = e;
    return parser_take_number(p, &e->number, &text);
}

static int parse_log(struct parser *p, const struct logql_expr **ret)
{
    struct logql_expr *e = new_expr(p, LOGQL_LOG);
    *ret = e;
    int r = parse_selector(p, &e->log);
    return r < 0 ? r : parse_stages(p, &e->log, NULL);
}

/* vector ( NUMBER ) */
static int parse_vector(struct parser *p, const struct logql_expr **ret)
{
    struct logql_expr *e = new_expr(p, LOGQL_VECTOR);
    struct str_view text;
    *ret = e;
    int r = parser_next(p);
    if (r == 0)
        r = parser_take(p, T_OPEN_PAREN, "(");
    if (r == 0 && p->tok.kind != T_NUMBER)
        r = parser_unexpected(p, "NUMBER");
    if (r == 0)
        r = parser_take_number(p, &e->number, &text);
    return r < 0 ? r : parser_take(p, T_CLOSE_PAREN, ")");
}

static int parse_label_replace(struct parser *p, const struct logql_expr **ret)
{
    struct logql_expr *e = new_expr(p, LOGQL_LABEL_REPLACE);
    struct str_view *const strings[] = {&e->label_replace.dst, &e->label_replace.replacement,
                                        &e->label_replace.src, &e->label_replace.regex};
    *ret = e;
    int r = parser_next(p);
    if (r == 0)
        r = parser_take(p, T_OPEN_PAREN, "(");
    if (r == 0)
        r = parse_metric_expr(p, &e->label_replace.inner);
    for (int i = 0; r == 0 && i < 4; i++) {
        r = parser_take(p, T_COMMA, i ? "," : NULL);
        if (r == 0)
            r = parser_take_text(p, T_STRING, "STRING", strings[i]);
    }
    if (r == 0)
        r = parser_take(p, T_CLOSE_PAREN, ")");
    if (r < 0)
        return r;
    e->depth = e->label_replace.inner->depth + 1;
    if (e->depth > NEST_MAX)
        return parser_too_deep(p);
    return check_label_replace(p->err, e->label_replace.regex);
}

static int parse_binary(struct parser *p, int min_level, const struct logql_expr **ret);

static int parse_parenthesised(struct parser *p, const struct logql_expr **ret)
{
    int r = parser_next(p);
    if (r == 0)
        r = parse_binary(p, 0, ret);
    return r < 0 ? r : parser_take(p, T_CLOSE_PAREN, NULL);
}

static int parse_term(struct parser *p, const struct logql_expr **ret)
{
    switch (p->tok.kind) {
    case T_OPEN_BRACE:
        return parse_log(p, ret);
    case T_OPEN_PAREN:
        return parse_parenthesised(p, ret);
    case T_NUMBER:
    case T_ADD:
    case T_SUB:
        return parse_literal(p, ret);
    case T_RANGE_OP:
        return parse_range_agg(p, ret);
    case T_VECTOR_OP:
        return parse_vector_agg(p, ret);
    case T_VECTOR:
        return parse_vector(p, ret);
    case T_LABEL_REPLACE:
        return parse_label_replace(p, ret);
    default:
        return parser_unexpected(p, NULL);
    }
}

/* 1 binds loosest; 0 when the token is no operator. */
static int operator_level(enum token_kind kind, enum binary_op *ret)
{
    static const struct {
        enum token_kind kind;
        enum binary_op op;
        int level;
    } OPS[] = {
        {T_OR, BINARY_OR, 1},     {T_AND, BINARY_AND, 2}, {T_UNLESS, BINARY_UNLESS, 2},
        {T_CMP_EQ, BINARY_EQ, 3}, {T_NEQ, BINARY_NE, 3},  {T_GT, BINARY_GT, 3},
        {T_GTE, BINARY_GE, 3},    {T_LT, BINARY_LT, 3},   {T_LTE, BINARY_LE, 3},
        {T_ADD, BINARY_ADD, 4},   {T_SUB, BINARY_SUB, 4}, {T_MUL, BINARY_MUL, 5},
        {T_DIV, BINARY_DIV, 5},   {T_MOD, BINARY_MOD, 5}, {T_POW, BINARY_POW, 6},
    };
    for (size_t i = 0; i < sizeof OPS / sizeof OPS[0]; i++)
        if (OPS[i].kind == kind) {
            *ret = OPS[i].op;
            return OPS[i].level;
        }
    return 0;
}

/* [bool] [on|ignoring (...) [group_left|group_right [(...)]]] */
static int parse_modifier(struct parser *p, struct logql_expr *e)
{
    struct vector_matching *m = &e->binary.matching;
    int r = 0;
    if (p->tok.kind == T_BOOL) {
        e->binary.returns_bool = true;
        r = parser_next(p);
    }
    if (r < 0 || (p->tok.kind != T_ON && p->tok.kind != T_IGNORING))
        return r;
    m->present = true;
    m->on = p->tok.kind == T_ON;
    r = parser_next(p);
    if (r == 0)
        r = parse_names(p, &m->names);
    if (r < 0 || (p->tok.kind != T_GROUP_LEFT && p->tok.kind != T_GROUP_RIGHT))
        return r;
    m->card = p->tok.kind == T_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    r = parser_next(p);
    return r == 0 && p->tok.kind == T_OPEN_PAREN ? parse_names(p, &m->include) : r;
}

/* Checks the operands and folds two literals into one. */
static int finish_binary(struct parser *p, struct logql_expr *e)
{
    const struct logql_expr *left = e->binary.left, *right = e->binary.right;
    int r = check_operands(p->err, e);
    if (r < 0)
        return r;
    if (left->kind == LOGQL_LITERAL && right->kind == LOGQL_LITERAL) {
        double v = arith_apply(e->binary.op, left->number, right->number);
        *e = (struct logql_expr){.kind = LOGQL_LITERAL, .depth = 1, .number = v};
        return 0;
    }
    e->depth = (left->depth > right->depth ? left->depth : right->depth) + 1;
    return e->depth > NEST_MAX ? parser_too_deep(p) : 0;
}

static int parse_binary(struct parser *p, int min_level, const struct logql_expr **ret)
{
    if (++p->nesting > NESTING_MAX)
        return parser_too_deep(p);
    int r = parse_term(p, ret);
    enum binary_op op = BINARY_OR;
    for (int level; r == 0 && (level = operator_level(p->tok.kind, &op)) > min_level;) {
        struct logql_expr *e = new_expr(p, LOGQL_BINARY);
        e->binary.op = op;
        e->binary.left = *ret;
        r = parser_next(p);
        if (r == 0)
            r = parse_modifier(p, e);
        if (r == 0) /* ^ alone groups to the right */
            r = parse_binary(p, op == BINARY_POW ? level - 1 : level, &e->binary.right);
        if (r == 0)
            r = finish_binary(p, e);
        *ret = e;
    }
    p->nesting--;
    return r;
}

int parse_metric_expr(struct parser *p, const struct logql_expr **ret)
{
    int r = parse_binary(p, 0, ret);
    if (r == 0 && !logql_is_metric(*ret))
        r = parser_unexpected(p, NULL);
    return r;
}

static int parse_text(struct arena *a, struct str_view query, const struct logql_expr **ret,
                      struct err *err)
{
    struct parser p = {.arena = a, .err = err};
    const struct logql_expr *e = NULL;
    int r = lexer_init(&p.lx, a, query, err);
    if (r == 0)
        r = parser_next(&p);
    if (r == 0)
        r = parse_binary(&p, 0, &e);
    if (r == 0 && p.tok.kind != T_END)
        r = parser_unexpected(&p, NULL);
    if (r == 0)
        *ret = e;
    return r;
}

int logql_parse(struct arena *a, struct str_view query, const struct logql_expr **ret,
                struct err *err)
{
    const struct logql_expr *e = NULL;
    int r = parse_text(a, query, &e, err);
    if (r == 0)
        r = check_tree(e, err);
    if (r == 0)
        *ret = e;
    return r;
}

static int take_matchers(const struct logql_expr *e, const struct matcher **ret, size_t *ret_n,
                         struct err *err)
{
    if (e->kind != LOGQL_LOG || e->log.n_stages > 0)
        return err_set(err, ERR_INVALID, "only label matchers are supported");
    *ret = e->log.matchers;
    *ret_n = e->log.n_matchers;
    return 0;
}

int logql_parse_selector(struct arena *a, struct str_view query, const struct matcher **ret,
                         size_t *ret_n, struct err *err)
{
    const struct logql_expr *e;
    int r = logql_parse(a, query, &e, err);
    return r < 0 ? r : take_matchers(e, ret, ret_n, err);
}

int logql_parse_matchers(struct arena *a, struct str_view query, const struct matcher **ret,
                         size_t *ret_n, struct err *err)
{
    const struct logql_expr *e = NULL;
    int r = parse_text(a, query, &e, err);
    return r < 0 ? r : take_matchers(e, ret, ret_n, err);
}
