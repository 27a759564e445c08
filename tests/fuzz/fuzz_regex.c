/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a pattern, a newline, a text.  Properties: the DFA, the two NFAs and the literals agree on
 * the verdict; the NFAs on every span; spans nest in the text; lines of a block match as they do
 * alone. */
#include <assert.h>
#include <stdlib.h>

#include "regex/nfa.h"
#include "regex/regex.h"
#include "tools/cut_lines.h"
#include "tools/regex_checks.h"

enum { MAX_TEXT = 2000, MAX_GROUPS = 50, MAX_INSTS = 20000 };

static void check_spans(const size_t *spans, size_t n, size_t len)
{
    for (size_t i = 0; i < n; i += 2) {
        bool absent = spans[i] == SIZE_MAX;
        assert(absent == (spans[i + 1] == SIZE_MAX));
        assert(absent || (spans[i] <= spans[i + 1] && spans[i + 1] <= len));
    }
}

static void check_text(struct regex *re, struct regex_scratch *scratch, struct nfa *nfa,
                       struct str_view text)
{
    size_t spans[2 * MAX_GROUPS], pike[2 * MAX_GROUPS], back[2 * MAX_GROUPS];
    size_t n = 2 * regex_n_groups(re);
    const struct prog *p = regex_prog(re);
    bool yes = regex_matches(re, scratch, text);
    assert(nfa_search_pike(nfa, p, text, 0, pike, n) == yes);
    assert(nfa_search_pike(nfa, p, text, 0, NULL, 0) == yes);
    assert(nfa_search_backtrack(nfa, p, text, 0, back, n) == yes);
    assert(regex_captures(re, scratch, text, 0, spans, n) == yes);
    assert(memcmp(spans, pike, n * sizeof *spans) == 0);
    assert(memcmp(spans, back, n * sizeof *spans) == 0);
    check_spans(spans, n, text.len);
    assert(regex_check_facts(re, text, yes, spans) == NULL);
    assert((regex_count(re, scratch, text) > 0) == yes);
}

static void check_lines(struct regex *re, struct regex_scratch *scratch, struct str_view block,
                        uint32_t every)
{
    CLEANUP(cut_lines_deinit) struct cut_lines c;
    cut_lines_init(&c, block);
    cut_lines_match(&c, re, scratch, every);
    for (uint32_t i = 0; i < c.lines.n; i++) {
        bool yes = i % every == 0 && regex_matches(re, scratch, cut_line(&c, i));
        assert(yes == cut_line_found(&c, i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view input = sv((const char *)data, len);
    struct str_view pattern = sv_sub(input, 0, sv_find_byte(input, '\n'));
    struct str_view text = sv_sub(input, pattern.len + 1, MAX_TEXT);
    struct regex *re;
    struct err err = ERR_INIT;
    if (regex_compile(&re, pattern, REGEX_SEARCH, &err) < 0) {
        assert(strncmp(err.text, "error parsing regexp: ", 22) == 0);
        return 0;
    }
    const struct prog *p = regex_prog(re);
    if (regex_n_groups(re) <= MAX_GROUPS && p->n_insts <= MAX_INSTS) {
        struct regex_scratch *scratch = regex_scratch_new();
        struct nfa nfa = {0};
        check_text(re, scratch, &nfa, text);
        check_lines(re, scratch, text, 1);
        check_lines(re, scratch, text, 3);
        nfa_deinit(&nfa);
        regex_scratch_free(scratch);
    }
    regex_unref(re);
    return 0;
}
