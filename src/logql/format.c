/* SPDX-License-Identifier: Apache-2.0 */
/* The form for people: an expression that fits a line stays on it; one that does not puts each of
 * its parts, and each stage of a pipeline, on a line of its own, two blanks further in. */
#include "base/go_quote.h"
#include "base/num.h"
#include "logql/print.h"
#include "model/labels.h"

enum { LINE_CHARS = 100 };

static size_t filter_nodes(const struct label_filter *f, size_t budget)
{
    if (budget == 0 || (f->kind != LABEL_FILTER_AND && f->kind != LABEL_FILTER_OR))
        return 1;
    size_t left = filter_nodes(f->pair.left, budget - 1);
    return left >= budget ? left : 1 + left + filter_nodes(f->pair.right, budget - left);
}

static size_t log_nodes(const struct log_query *log, size_t budget)
{
    size_t n = 1;
    for (size_t i = 0; i < log->n_stages && n < budget; i++)
        n += log->stages[i].kind == STAGE_LABEL_FILTER
                 ? filter_nodes(log->stages[i].label_filter, budget - n)
                 : 1;
    return n;
}

/* How many nodes the tree has, or at least `budget`: stops counting there. */
static size_t nodes(const struct logql_expr *e, size_t budget)
{
    if (budget == 0)
        return 1;
    size_t left;
    switch (e->kind) {
    case LOGQL_LOG:
        return log_nodes(&e->log, budget);
    case LOGQL_RANGE_AGG:
        return 1 + log_nodes(&e->range.log, budget);
    case LOGQL_VECTOR_AGG:
        return 1 + nodes(e->vector_agg.inner, budget - 1);
    case LOGQL_LABEL_REPLACE:
        return 1 + nodes(e->label_replace.inner, budget - 1);
    case LOGQL_BINARY:
        left = nodes(e->binary.left, budget - 1);
        return left >= budget ? left : 1 + left + nodes(e->binary.right, budget - left);
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        break;
    }
    return 1;
}

/* Asked on each level; counting nodes first keeps the whole linear for deep trees. */
static bool fits(const struct logql_expr *e)
{
    if (nodes(e, LINE_CHARS) >= LINE_CHARS)
        return false;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    logql_print(&b, e);
    return b.len <= LINE_CHARS;
}

static void indent(struct buf *out, unsigned level)
{
    for (; level > 0; level--)
        buf_put(out, SV("  "));
}

static void new_line(struct buf *out, unsigned level)
{
    buf_put_u8(out, '\n');
    indent(out, level);
}

static void format_at(struct buf *out, const struct logql_expr *e, unsigned level);

static void format_log(struct buf *out, const struct log_query *log, unsigned level)
{
    struct logql_expr e = {.kind = LOGQL_LOG, .depth = 1, .log = *log};
    indent(out, level);
    if (fits(&e)) {
        logql_print(out, &e);
        return;
    }
    logql_print_selector(out, log->matchers, log->n_matchers);
    for (size_t i = 0; i < log->n_stages; i++) {
        new_line(out, level + 1);
        logql_print_stage(out, &log->stages[i]);
    }
}

static void format_range_agg(struct buf *out, const struct range_agg *agg, unsigned level)
{
    buf_put(out, sv_of(range_op_text(agg->op)));
    buf_put(out, SV("(\n"));
    if (agg->op == RANGE_QUANTILE) {
        indent(out, level + 1);
        num_put_float(out, agg->param);
        buf_put(out, SV(",\n"));
    }
    format_log(out, &agg->log, level + 1);
    if (agg->unwrap.present) {
        new_line(out, level + 2);
        logql_print_unwrap(out, &agg->unwrap);
        for (size_t i = 0; i < agg->unwrap.n_post_filters; i++) {
            new_line(out, level + 2);
            buf_put(out, SV("| "));
            logql_print_label_filter(out, agg->unwrap.post_filters[i]);
        }
    }
    buf_put_u8(out, ' ');
    logql_print_range(out, agg);
    new_line(out, level);
    buf_put_u8(out, ')');
    logql_print_grouping(out, &agg->grouping);
}

static void format_vector_agg(struct buf *out, const struct logql_expr *e, unsigned level)
{
    buf_put(out, sv_of(vector_op_text(e->vector_agg.op)));
    logql_print_grouping(out, &e->vector_agg.grouping);
    buf_put(out, e->vector_agg.grouping.present ? SV(" (\n") : SV("(\n"));
    if (e->vector_agg.k) {
        indent(out, level + 1);
        num_put_i64(out, e->vector_agg.k);
        buf_put(out, SV(",\n"));
    }
    format_at(out, e->vector_agg.inner, level + 1);
    new_line(out, level);
    buf_put_u8(out, ')');
}

/* An operation inside an operation keeps its parentheses: they carry the precedence. */
static void format_operand(struct buf *out, const struct logql_expr *e, unsigned level)
{
    if (e->kind != LOGQL_BINARY || fits(e)) {
        format_at(out, e, level);
        return;
    }
    indent(out, level);
    buf_put(out, SV("(\n"));
    format_at(out, e, level + 1);
    new_line(out, level);
    buf_put_u8(out, ')');
}

static void format_label_replace(struct buf *out, const struct logql_expr *e, unsigned level)
{
    const struct str_view strings[] = {e->label_replace.dst, e->label_replace.replacement,
                                       e->label_replace.src, e->label_replace.regex};
    buf_put(out, SV("label_replace(\n"));
    format_at(out, e->label_replace.inner, level + 1);
    for (int i = 0; i < 4; i++) {
        buf_put_u8(out, ',');
        new_line(out, level + 1);
        go_quote(out, strings[i]);
    }
    new_line(out, level);
    buf_put_u8(out, ')');
}

static void format_at(struct buf *out, const struct logql_expr *e, unsigned level)
{
    if (e->kind == LOGQL_LOG) {
        format_log(out, &e->log, level);
        return;
    }
    if (e->kind == LOGQL_BINARY && !fits(e)) {
        format_operand(out, e->binary.left, level + 1);
        new_line(out, level);
        logql_print_operator(out, e);
        buf_put_u8(out, '\n');
        format_operand(out, e->binary.right, level + 1);
        return;
    }
    indent(out, level);
    if (fits(e))
        logql_print(out, e);
    else if (e->kind == LOGQL_RANGE_AGG)
        format_range_agg(out, &e->range, level);
    else if (e->kind == LOGQL_VECTOR_AGG)
        format_vector_agg(out, e, level);
    else if (e->kind == LOGQL_LABEL_REPLACE)
        format_label_replace(out, e, level);
    else
        logql_print(out, e);
}

void logql_format(struct buf *out, const struct logql_expr *e)
{
    format_at(out, e, 0);
}
