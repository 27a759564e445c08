/* SPDX-License-Identifier: Apache-2.0 */
/* Label filters.  `or` binds looser than `and`; a comma, or nothing at all, between two filters is
 * a conjunction whose right side is everything that follows, whatever stood on its left. */
#include "logql/check.h"
#include "logql/parser.h"

enum { LEVEL_ALL, LEVEL_OR, LEVEL_AND };

static int parse_filter(struct parser *p, int above, const struct label_filter **ret,
                        unsigned *ret_depth);

bool match_op_of_token(enum token_kind kind, enum match_op *ret)
{
    switch (kind) {
    case T_EQ:
        *ret = MATCH_EQ;
        return true;
    case T_NEQ:
        *ret = MATCH_NE;
        return true;
    case T_RE:
        *ret = MATCH_RE;
        return true;
    case T_NRE:
        *ret = MATCH_NRE;
        return true;
    default:
        return false;
    }
}

static bool cmp_op_of_token(enum token_kind kind, enum cmp_op *ret)
{
    switch (kind) {
    case T_EQ:
    case T_CMP_EQ:
        *ret = CMP_EQ;
        return true;
    case T_NEQ:
        *ret = CMP_NE;
        return true;
    case T_GT:
        *ret = CMP_GT;
        return true;
    case T_GTE:
        *ret = CMP_GE;
        return true;
    case T_LT:
        *ret = CMP_LT;
        return true;
    case T_LTE:
        *ret = CMP_LE;
        return true;
    default:
        return false;
    }
}

int parse_ip(struct parser *p, struct str_view *ret)
{
    int r = parser_next(p);
    if (r == 0)
        r = parser_take(p, T_OPEN_PAREN, "(");
    if (r == 0)
        r = parser_take_text(p, T_STRING, "STRING", ret);
    return r < 0 ? r : parser_take(p, T_CLOSE_PAREN, ")");
}

static int parse_string_value(struct parser *p, struct label_filter *f)
{
    f->kind = LABEL_FILTER_STRING;
    int r = parser_take_text(p, T_STRING, "STRING", &f->string.value);
    return r < 0 ? r : check_match_value(p->err, f->string.op, f->string.value);
}

static int parse_measure(struct parser *p, enum cmp_op op, struct label_filter *f)
{
    switch (p->tok.kind) {
    case T_DURATION:
        f->kind = LABEL_FILTER_DURATION;
        f->duration.op = op;
        f->duration.ns = p->tok.ns;
        f->duration.text = p->tok.text;
        return parser_next(p);
    case T_BYTES:
        f->kind = LABEL_FILTER_BYTES;
        f->bytes.op = op;
        f->bytes.value = p->tok.bytes;
        f->bytes.text = p->tok.text;
        return parser_next(p);
    default:
        f->kind = LABEL_FILTER_NUMBER;
        f->number.op = op;
        return parser_take_number(p, &f->number.value, &f->number.text);
    }
}

/* IDENTIFIER operator value */
static int parse_predicate(struct parser *p, const struct label_filter **ret)
{
    struct label_filter *f = ARENA_NEW(p->arena, struct label_filter);
    *ret = f;
    int r = parser_take_text(p, T_IDENTIFIER, NULL, &f->name);
    if (r < 0)
        return r;
    enum token_kind op = p->tok.kind;
    enum match_op match = MATCH_EQ;
    enum cmp_op cmp = CMP_EQ;
    bool is_match = match_op_of_token(op, &match), is_cmp = cmp_op_of_token(op, &cmp);
    if (!is_match && !is_cmp)
        return parser_unexpected(p, NULL);
    r = parser_next(p);
    if (r < 0)
        return r;
    if (is_match && (!is_cmp || p->tok.kind == T_STRING)) {
        f->string.op = match;
        return parse_string_value(p, f);
    }
    if (is_match && p->tok.kind == T_IP) {
        f->kind = LABEL_FILTER_IP;
        f->ip.negated = op == T_NEQ;
        return parse_ip(p, &f->ip.text);
    }
    return parse_measure(p, cmp, f);
}

static bool starts_filter(enum token_kind kind)
{
    return kind == T_IDENTIFIER || kind == T_OPEN_PAREN;
}

static int parse_primary(struct parser *p, const struct label_filter **ret, unsigned *ret_depth)
{
    *ret_depth = 1;
    if (p->tok.kind != T_OPEN_PAREN)
        return parse_predicate(p, ret);
    int r = parser_next(p);
    if (r == 0 && !starts_filter(p->tok.kind))
        r = parser_unexpected(p, "IDENTIFIER or (");
    if (r == 0)
        r = parse_filter(p, LEVEL_ALL, ret, ret_depth);
    return r < 0 ? r : parser_take(p, T_CLOSE_PAREN, NULL);
}

/* Joins *left with the filter that follows, which holds operators above the given level. */
static int parse_right(struct parser *p, enum label_filter_kind kind, int above,
                       const struct label_filter **left, unsigned *depth)
{
    struct label_filter *f = ARENA_NEW(p->arena, struct label_filter);
    f->kind = kind;
    f->pair.left = *left;
    *left = f;
    if (!starts_filter(p->tok.kind))
        return parser_unexpected(p, "IDENTIFIER or (");
    unsigned right_depth;
    int r = parse_filter(p, above, &f->pair.right, &right_depth);
    *depth = 1 + (*depth > right_depth ? *depth : right_depth);
    return r == 0 && *depth > NEST_MAX ? parser_too_deep(p) : r;
}

static int parse_filter(struct parser *p, int above, const struct label_filter **ret,
                        unsigned *ret_depth)
{
    if (++p->nesting > NESTING_MAX)
        return parser_too_deep(p);
    int r = parse_primary(p, ret, ret_depth);
    for (bool more = true; r == 0 && more;) {
        enum token_kind kind = p->tok.kind;
        if (starts_filter(kind)) {
            r = parse_right(p, LABEL_FILTER_AND, LEVEL_ALL, ret, ret_depth);
        } else if (kind == T_COMMA) {
            r = parser_next(p);
            if (r == 0)
                r = parse_right(p, LABEL_FILTER_AND, LEVEL_ALL, ret, ret_depth);
        } else if ((kind == T_OR && above < LEVEL_OR) || (kind == T_AND && above < LEVEL_AND)) {
            bool is_or = kind == T_OR;
            r = parser_next(p);
            if (r == 0)
                r = parse_right(p, is_or ? LABEL_FILTER_OR : LABEL_FILTER_AND,
                                is_or ? LEVEL_OR : LEVEL_AND, ret, ret_depth);
        } else {
            more = false;
        }
    }
    p->nesting--;
    return r;
}

int parse_label_filter(struct parser *p, const struct label_filter **ret)
{
    unsigned depth;
    return parse_filter(p, LEVEL_ALL, ret, &depth);
}
