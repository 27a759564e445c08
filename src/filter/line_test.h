/* SPDX-License-Identifier: Apache-2.0 */
/* line_test.h - a compiled line filter: on one line, on all lines of a chunk, and on a chunk's
 * 5-gram filter, which may only say that no line can pass.
 * A test may have thousands of operands: where the scratch's stop hook says so it ends early, with
 * any result; the caller asks the same before it trusts one.
 * Threads: immutable once compiled; the regex scratch belongs to the caller. */
#pragma once
#include "base/arena.h"
#include "chunk/filter.h"
#include "chunk/scan.h"
#include "filter/compile.h"
#include "lines/ip.h"
#include "lines/pattern.h"
#include "model/filter.h"

enum line_operand_kind { OPERAND_CONTAINS, OPERAND_REGEX, OPERAND_PATTERN, OPERAND_IP };

/* A line that passes contains one of these. */
struct probe_clause {
    struct filter_needle *any;
    size_t n;
};

struct line_operand_test {
    enum line_operand_kind kind;
    struct substr_needle needle; /* CONTAINS */
    struct regex *regex;         /* REGEX */
    struct pattern pattern;      /* PATTERN */
    struct ip_range ip;          /* IP */
    struct substr_needle *lits;  /* REGEX: where containing one of these is the whole verdict */
    size_t n_lits;
    struct probe_clause *clauses; /* all must hold */
    size_t n_clauses;
};

struct line_test {
    bool negated; /* drops what matches any operand, else keeps it */
    struct line_operand_test *v;
    size_t n;
};

/* Borrows the texts of the filter.  Lies in the arena of the compile but holds compiled parts:
 * deinit before the arena goes.  < 0: an operand that does not parse, or as compile_charge(); then
 * t is empty. */
int line_test_compile(struct line_test *t, const struct line_filter *filter, struct compile *c,
                      struct err *err);
void line_test_deinit(struct line_test *t);
bool line_test_passes(const struct line_test *t, struct regex_scratch *scratch,
                      struct str_view line);
/* Takes out of rows, a set over the chunk's, those that do not pass.  tmp is scratch of the
 * caller. */
void line_test_scan(const struct line_test *t, struct regex_scratch *scratch,
                    const struct chunk_lines *lines, bool chunk_has_newline, struct row_set *rows,
                    struct row_set tmp[2]);
/* False only when no line of the chunk can pass. */
bool line_test_may_pass(const struct line_test *t, struct str_view filter, uint32_t filter_bits,
                        bool chunk_is_ascii);
/* Whether line_test_may_pass can ever say no. */
bool line_test_can_skip(const struct line_test *t);
