/* SPDX-License-Identifier: Apache-2.0 */
/* What parse.c and pipe.c share: the place among the tokens, the words that are no names, which
 * variables are declared, and Go's words for a token that does not belong there. */
#include "template/parser.h"

#include "base/go_quote.h"
#include "base/utf8.h"
#include "model/labels.h"

struct ttoken *tparser_peek(struct tparser *p)
{
    return &p->tokens[p->at];
}

struct ttoken *tparser_next(struct tparser *p)
{
    struct ttoken *t = &p->tokens[p->at];
    p->at += t->kind != TT_END && t->kind != TT_FAULT;
    return t;
}

uint32_t tparser_last_line(const struct tparser *p)
{
    return p->tokens[p->at ? p->at - 1 : 0].line;
}

void tparser_skip_blank(struct tparser *p)
{
    while (tparser_peek(p)->kind == TT_BLANK)
        p->at++;
}

bool tparser_is_keyword(struct str_view word)
{
    static const char *const WORDS[] = {"block", "break", "continue", "define", "else",    "end",
                                        "if",    "range", "nil",      "with",   "template"};
    enum { N_WORDS = sizeof WORDS / sizeof WORDS[0] };
    return sv_which(word, WORDS, N_WORDS) < N_WORDS;
}

/* What the lexer found wrong. */
static int tell_fault(struct tparser *p, const struct ttoken *t, struct err *err)
{
    if (p->action_line == 0 || p->action_line == t->line)
        return terr(err, t->line, "%.*s", SV_ARG(t->text));
    bool ends_so = sv_ends_with(t->text, SV(" action"));
    return terr(err, t->line, "%.*s%s started at line:%u", SV_ARG(t->text),
                ends_so ? "" : " in action", p->action_line);
}

int tparser_unexpected(struct tparser *p, const struct ttoken *t, const char *where,
                       struct err *err)
{
    enum { SHOWN_RUNES = 10 };
    if (t->kind == TT_FAULT)
        return tell_fault(p, t, err);
    if (t->kind == TT_END)
        return terr(err, t->line, "unexpected EOF");
    if (t->kind == TT_DOT || (t->kind == TT_IDENT && tparser_is_keyword(t->text)))
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

void tparser_declare(struct tparser *p, struct str_view name)
{
    p->vars = mem_grow(p->vars, &p->cap_vars, p->n_vars + 1, sizeof *p->vars);
    p->vars[p->n_vars++] = name;
}

bool tparser_declared(const struct tparser *p, struct str_view name)
{
    for (size_t i = 0; i < p->n_vars; i++)
        if (sv_eq(p->vars[i], name))
            return true;
    return false;
}
