/* SPDX-License-Identifier: Apache-2.0 */
/* Answers the questions of regex_diff.py with src/regex; the protocol is described there.  Where
 * two of our own ways to an answer disagree, the line begins with "!". */
#include <stdio.h>

#include "regex/nfa.h"
#include "regex/regex.h"
#include "regex/unicode.h"
#include "tools/cut_lines.h"
#include "tools/regex_checks.h"

struct probe {
    struct regex *re;
    struct regex_scratch *scratch;
    struct nfa nfa;
};

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Decodes in place; the view borrows the word. */
static struct str_view unhex(char *word)
{
    size_t n = word ? strlen(word) / 2 : 0;
    for (size_t i = 0; i < n; i++)
        word[i] = (char)(hex_digit(word[2 * i]) << 4 | hex_digit(word[2 * i + 1]));
    return sv(word ? word : "", n);
}

static void print_hex(struct str_view v)
{
    for (size_t i = 0; i < v.len; i++)
        printf("%02x", (unsigned char)v.p[i]);
}

static void compile(struct probe *p, char *mode, struct str_view pattern)
{
    struct err err = ERR_INIT;
    regex_unref(p->re);
    p->re = NULL;
    enum regex_mode m = strcmp(mode, "full") == 0     ? REGEX_FULL
                        : strcmp(mode, "dotall") == 0 ? REGEX_FULL_DOTALL
                                                      : REGEX_SEARCH;
    if (regex_compile(&p->re, pattern, m, &err) < 0) {
        printf("E ");
        print_hex(sv_of(err.text));
    } else {
        printf("P ");
        for (size_t g = 0; g < regex_n_groups(p->re); g++)
            printf("%s%.*s", g ? "," : "", SV_ARG(regex_group_name(p->re, g)));
    }
}

static void print_spans(const size_t *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (spans[i] == SIZE_MAX)
            printf("%sx", i ? " " : "");
        else
            printf("%s%zu", i ? " " : "", spans[i]);
    }
}

static void print_match(struct probe *p, struct str_view text)
{
    size_t n = 2 * regex_n_groups(p->re);
    size_t *spans = mem_alloc(3 * n * sizeof *spans), *pike = spans + n, *back = spans + 2 * n;
    bool yes = regex_captures(p->re, p->scratch, text, 0, spans, n);
    const struct prog *prog = regex_prog(p->re);
    nfa_search_pike(&p->nfa, prog, text, 0, pike, n);
    nfa_search_backtrack(&p->nfa, prog, text, 0, back, n);
    const char *wrong = regex_check_facts(p->re, text, yes, spans);
    if (regex_matches(p->re, p->scratch, text) != yes)
        wrong = "dfa";
    if (nfa_search_pike(&p->nfa, prog, text, 0, NULL, 0) != yes)
        wrong = "pike verdict";
    if (memcmp(spans, pike, n * sizeof *spans) != 0 || memcmp(spans, back, n * sizeof *spans) != 0)
        wrong = "spans";
    if (wrong)
        printf("!%s ", wrong);
    printf("T");
    if (yes)
        print_spans(spans, n);
    free(spans);
}

/* As Go does: an empty match right behind the last one does not count. */
static void print_all(struct probe *p, struct str_view text)
{
    size_t n = 2 * regex_n_groups(p->re), last_end = SIZE_MAX, shown = 0;
    size_t *spans = mem_alloc(n * sizeof *spans);
    printf("A ");
    for (size_t at = 0; at <= text.len && regex_captures(p->re, p->scratch, text, at, spans, n);) {
        bool empty = spans[1] == at;
        if (!(empty && spans[0] == last_end)) {
            printf("%s", shown++ ? "|" : "");
            print_spans(spans, n);
        }
        last_end = spans[1];
        uint32_t rune;
        at = spans[1];
        if (empty)
            at += at < text.len ? rune_decode(text.p + at, text.len - at, &rune) : 1;
    }
    free(spans);
}

static void print_lines(struct probe *p, struct str_view block)
{
    CLEANUP(cut_lines_deinit) struct cut_lines c;
    bool first = true;
    cut_lines_init(&c, block);
    cut_lines_match(&c, p->re, p->scratch, 1);
    printf("L");
    for (uint32_t i = 0; i < c.lines.n; i++) {
        if (!cut_line_found(&c, i))
            continue;
        printf("%s%u", first ? "" : " ", c.start[i]);
        first = false;
    }
}

static void answer(struct probe *p, char *line)
{
    char *save, *what = strtok_r(line, " \n", &save), *first = strtok_r(NULL, " \n", &save),
                *second = strtok_r(NULL, " \n", &save);
    if (*what == 'P') {
        compile(p, first, unhex(second));
    } else if (!p->re) {
        printf("-");
    } else if (*what == 'T') {
        print_match(p, unhex(first));
    } else if (*what == 'C') {
        printf("C %zu", regex_count(p->re, p->scratch, unhex(first)));
    } else if (*what == 'A') {
        print_all(p, unhex(first));
    } else if (*what == 'Q') {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT;
        regex_quote_meta(&out, unhex(first));
        printf("Q ");
        print_hex(buf_view(&out));
    } else if (*what == 'L') {
        print_lines(p, unhex(first));
    } else {
        struct str_view text = unhex(first), tmpl = unhex(second);
        printf("R");
        for (int mode = REGEX_REPLACE_EXPAND; mode <= REGEX_REPLACE_LITERAL; mode++) {
            CLEANUP(buf_deinit) struct buf out = BUF_INIT;
            regex_replace_all(&out, p->re, p->scratch, text, tmpl, (enum regex_replace_mode)mode,
                              SIZE_MAX);
            printf(" ");
            print_hex(buf_view(&out));
        }
    }
    printf("\n");
}

int main(void)
{
    struct probe p = {.scratch = regex_scratch_new()};
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0)
        answer(&p, line);
    free(line);
    nfa_deinit(&p.nfa);
    regex_unref(p.re);
    regex_scratch_free(p.scratch);
    return 0;
}
