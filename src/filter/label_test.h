/* SPDX-License-Identifier: Apache-2.0 */
/* label_test.h - a compiled label filter (logql.md 3.4): keeps or drops a line by its labels.
 * Ownership: a test borrows the filter; it lies in the arena of the compile and holds regexes
 * beside it, so it is deinitialised before the arena goes. Threads: immutable once compiled;
 * builder and scratch belong to the caller. */
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

/* < 0: a regex or an ip range that does not parse, or as compile_charge(); then t is empty. */
int label_test_compile(struct label_test *t, const struct label_filter *f, struct compile *c,
                       struct err *err);
void label_test_deinit(struct label_test *t);
/* A value that does not convert sets an error on the line and keeps it.  Where the scratch's stop
 * hook ended a search the verdict may be either. */
bool label_test_keeps(const struct label_test *t, struct labels_builder *b,
                      struct regex_scratch *scratch);
/* When it is one string test alone, that test; else NULL. */
const struct label_instr *label_test_one_string(const struct label_test *t);
/* The verdict of a string test on that value; an absent label has the empty one. */
bool label_instr_string(const struct label_instr *i, struct str_view value,
                        struct regex_scratch *scratch);

/* A condition of drop or keep, or a bare name.  Compiled, owned and shared as above. */
struct named_test {
    const struct named_label *named;
    struct regex *regex;
};
int named_test_compile(struct named_test *t, const struct named_label *n, struct compile *c,
                       struct err *err);
void named_test_deinit(struct named_test *t);
/* Whether the condition holds for the value of its label; a bare name's does for any. */
bool named_test_value(const struct named_test *t, struct str_view value,
                      struct regex_scratch *scratch);
