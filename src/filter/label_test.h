/* SPDX-License-Identifier: Apache-2.0 */
/* label_test.h - a compiled label filter (logql.md 3.4): keeps or drops a line by its labels.
 * Threads: immutable once compiled. */
#pragma once
#include "base/arena.h"
#include "filter/compile.h"
#include "lines/ip.h"
#include "lines/labels_builder.h"
#include "model/filter.h"
#include "regex/regex.h"

/* One test, or what joins the verdicts of two: a program instead of a tree, so that no depth of
 * parentheses needs a thread's stack. */
enum label_instr_kind {
    LABEL_INSTR_TEST,         /* verdict = test */
    LABEL_INSTR_PUSH,         /* save the verdict: the left side of and */
    LABEL_INSTR_AND,          /* verdict = saved and verdict */
    LABEL_INSTR_SKIP_IF_TRUE, /* or: the right side is not asked */
};
struct label_instr {
    enum label_instr_kind kind;
    const struct label_filter *filter; /* TEST */
    struct regex *regex;               /* TEST of a string with =~, !~ */
    struct ip_range ip;                /* TEST of an ip */
    size_t target;                     /* SKIP_IF_TRUE */
};
struct label_test {
    struct label_instr *v;
    size_t n;
};

/* Lies in the arena; deinit before the arena goes. */
int label_test_compile(struct label_test *t, const struct label_filter *f, struct compile *c,
                       struct err *err);
void label_test_deinit(struct label_test *t);
/* A value that does not convert sets an error on the line and keeps it. */
bool label_test_keeps(const struct label_test *t, struct labels_builder *b,
                      struct regex_scratch *scratch);
/* When it is one string test alone, that test; else NULL. */
const struct label_instr *label_test_one_string(const struct label_test *t);
bool label_instr_string(const struct label_instr *i, struct str_view value,
                        struct regex_scratch *scratch);

/* A condition of drop or keep, or a bare name. */
struct named_test {
    const struct named_label *named;
    struct regex *regex;
};
int named_test_compile(struct named_test *t, const struct named_label *n, struct compile *c,
                       struct err *err);
void named_test_deinit(struct named_test *t);
bool named_test_value(const struct named_test *t, struct str_view value,
                      struct regex_scratch *scratch);
