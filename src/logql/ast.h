/* SPDX-License-Identifier: Apache-2.0 */
/* ast.h - the tree of a LogQL query.
 * Promise: plain data in the arena given to logql_parse(), immutable afterwards; it lives as long
 * as that arena and owns nothing else.  Strings are unescaped and lie in the arena or in the query
 * text, which must live as long.  Nothing is compiled: every regex, pattern, ip range, path and
 * template was checked to be valid, and the evaluator compiles its own (struct matcher carries
 * regex == NULL until matcher_compile() on the evaluator's copy).
 * No path from the root is longer than LOGQL_MAX_DEPTH, so recursion over the tree is safe. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"
#include "model/filter.h"
#include "model/matcher.h"
#include "model/name_list.h"

enum {
    LOGQL_MAX_QUERY_BYTES = 131071,
    LOGQL_MAX_DEPTH = LABEL_FILTER_MAX_DEPTH,
};

/* ---- log pipelines ---- */

struct extraction {
    struct str_view dst, expr;
    bool bare; /* written without ="expr": expr equals dst */
};

/* json and logfmt; without extractions everything is extracted. */
struct parser_stage {
    const struct extraction *extractions;
    size_t n_extractions;
    bool strict, keep_empty; /* logfmt's flags */
};

struct label_format {
    struct str_view dst;
    struct str_view src; /* a label name, or the template text */
    bool is_template;
};

enum stage_kind {
    STAGE_LINE_FILTER,
    STAGE_JSON,
    STAGE_LOGFMT,
    STAGE_REGEXP,  /* text */
    STAGE_PATTERN, /* text */
    STAGE_UNPACK,
    STAGE_LABEL_FILTER,
    STAGE_LINE_FORMAT, /* text */
    STAGE_LABEL_FORMAT,
    STAGE_DECOLORIZE,
    STAGE_DROP,
    STAGE_KEEP,
};

struct stage {
    enum stage_kind kind;
    union {
        struct line_filter line_filter;
        struct parser_stage parser; /* JSON, LOGFMT */
        struct str_view text;       /* REGEXP, PATTERN, LINE_FORMAT */
        const struct label_filter *label_filter;
        struct {
            const struct label_format *v;
            size_t n;
        } label_format;
        struct {
            const struct named_label *v;
            size_t n;
        } named; /* DROP, KEEP */
    };
};

struct log_query {
    const struct matcher *matchers;
    size_t n_matchers;
    const struct stage *stages;
    size_t n_stages;
};

/* ---- metric expressions ---- */

struct grouping {
    bool present; /* false: no clause was written */
    bool without;
    struct name_list names;
};

enum unwrap_conv { UNWRAP_NONE, UNWRAP_BYTES, UNWRAP_DURATION, UNWRAP_DURATION_SECONDS };

struct unwrap {
    bool present;
    enum unwrap_conv conv;
    struct str_view name;
    const struct label_filter *const *post_filters; /* one per "|", in order */
    size_t n_post_filters;
};

enum range_op {
    RANGE_RATE,
    RANGE_RATE_COUNTER,
    RANGE_COUNT,
    RANGE_BYTES_RATE,
    RANGE_BYTES,
    RANGE_AVG,
    RANGE_SUM,
    RANGE_MIN,
    RANGE_MAX,
    RANGE_STDDEV,
    RANGE_STDVAR,
    RANGE_QUANTILE,
    RANGE_FIRST,
    RANGE_LAST,
    RANGE_ABSENT,
    N_RANGE_OPS,
};

enum vector_op {
    VECTOR_SUM,
    VECTOR_AVG,
    VECTOR_MIN,
    VECTOR_MAX,
    VECTOR_COUNT,
    VECTOR_STDDEV,
    VECTOR_STDVAR,
    VECTOR_TOPK,
    VECTOR_BOTTOMK,
    VECTOR_APPROX_TOPK,
    VECTOR_SORT,
    VECTOR_SORT_DESC,
    N_VECTOR_OPS,
};

enum binary_op {
    BINARY_OR,
    BINARY_AND,
    BINARY_UNLESS,
    BINARY_EQ,
    BINARY_NE,
    BINARY_GT,
    BINARY_GE,
    BINARY_LT,
    BINARY_LE,
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV,
    BINARY_MOD,
    BINARY_POW,
    N_BINARY_OPS,
};

enum match_card {
    CARD_ONE_TO_ONE,
    CARD_MANY_TO_ONE /* group_left */,
    CARD_ONE_TO_MANY /* group_right */
};

struct vector_matching {
    bool present; /* on(...) or ignoring(...) was written */
    bool on;      /* else ignoring */
    struct name_list names;
    enum match_card card;
    struct name_list include; /* of group_left(...), group_right(...) */
};

enum logql_kind {
    LOGQL_LOG,
    LOGQL_RANGE_AGG,
    LOGQL_VECTOR_AGG,
    LOGQL_BINARY,
    LOGQL_LITERAL,
    LOGQL_VECTOR, /* vector(n) */
    LOGQL_LABEL_REPLACE,
};

struct range_agg {
    enum range_op op;
    double param; /* of quantile_over_time */
    struct log_query log;
    struct unwrap unwrap;
    int64_t range_ns, offset_ns; /* offset may be negative; 0 is "none" */
    struct grouping grouping;
};

struct logql_expr {
    enum logql_kind kind;
    unsigned depth; /* 1 for a leaf; at most LOGQL_MAX_DEPTH */
    union {
        struct log_query log;
        struct range_agg range;
        struct {
            enum vector_op op;
            int64_t k; /* topk, bottomk, approx_topk */
            struct grouping grouping;
            const struct logql_expr *inner;
        } vector_agg;
        struct {
            enum binary_op op;
            bool returns_bool;
            struct vector_matching matching;
            const struct logql_expr *left, *right;
        } binary;
        double number; /* LITERAL (folded where both operands were), VECTOR */
        struct {
            const struct logql_expr *inner;
            struct str_view dst, replacement, src, regex;
        } label_replace;
    };
};

static inline bool logql_is_metric(const struct logql_expr *e)
{
    return e->kind != LOGQL_LOG;
}

static inline bool binary_op_is_set(enum binary_op op)
{
    return op <= BINARY_UNLESS;
}

static inline bool binary_op_is_comparison(enum binary_op op)
{
    return op >= BINARY_EQ && op <= BINARY_LE;
}

/* Loki's spelling of each. */
const char *range_op_text(enum range_op op);
const char *vector_op_text(enum vector_op op);
const char *binary_op_text(enum binary_op op);

/* Structural equality; numbers by bits (every NaN equal), the text of literals is ignored. */
bool logql_equal(const struct logql_expr *a, const struct logql_expr *b);

/* Each selector of the query, from left to right; range is NULL for a log query.  The first
 * nonzero result ends it. */
typedef int logql_selector_fn(void *ctx, const struct log_query *log, const struct range_agg *range,
                              struct err *err);
int logql_each_selector(const struct logql_expr *e, logql_selector_fn *fn, void *ctx,
                        struct err *err);
