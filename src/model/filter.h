/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - filters over lines and labels as somebody wrote them: line filters, label filters, the
 * conditions of drop and keep.  Plain data; src/filter compiles it.
 * Ownership: texts and arrays are borrowed, from the arena of a parsed query as a rule. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str_view.h"
#include "model/matcher.h"

enum line_op {
    LINE_CONTAINS,     /* |= */
    LINE_NOT_CONTAINS, /* != */
    LINE_RE,           /* |~ */
    LINE_NOT_RE,       /* !~ */
    LINE_PATTERN,      /* |> */
    LINE_NOT_PATTERN,  /* !> */
};

struct line_operand {
    struct str_view text;
    bool is_ip; /* ip("...") */
};

/* `op a or b or c`: positive ops keep a line that matches any operand, negative ones drop it. */
struct line_filter {
    enum line_op op;
    const struct line_operand *operands;
    size_t n_operands; /* at least 1 */
};

enum cmp_op { CMP_EQ, CMP_NE, CMP_GT, CMP_GE, CMP_LT, CMP_LE };

/* Of AND and OR below one another. */
enum { LABEL_FILTER_MAX_DEPTH = 1000 };

enum label_filter_kind {
    LABEL_FILTER_AND,
    LABEL_FILTER_OR,
    LABEL_FILTER_STRING,
    LABEL_FILTER_NUMBER,
    LABEL_FILTER_DURATION,
    LABEL_FILTER_BYTES,
    LABEL_FILTER_IP,
};

struct label_filter {
    enum label_filter_kind kind;
    struct str_view name; /* of all but AND, OR */
    union {
        struct {
            const struct label_filter *left, *right;
        } pair; /* AND, OR */
        struct {
            enum match_op op;
            struct str_view value;
        } string; /* anchored without (?s): compile with REGEX_FULL */
        struct {
            enum cmp_op op;
            double value;
            struct str_view text; /* as written, sign included */
        } number;
        struct {
            enum cmp_op op;
            int64_t ns;
            struct str_view text;
        } duration;
        struct {
            enum cmp_op op;
            uint64_t value;
            struct str_view text;
        } bytes;
        struct {
            bool negated; /* != */
            struct str_view text;
        } ip;
    };
};

/* One entry of drop or keep: a bare name, or a condition on its value. */
struct named_label {
    struct str_view name;
    bool has_matcher;
    enum match_op op;
    struct str_view value; /* regexes are anchored without (?s) */
};

/* Loki's spelling of each. */
const char *line_op_text(enum line_op op);
const char *cmp_op_text(enum cmp_op op);
