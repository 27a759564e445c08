/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses queries that the grammar lets through, with Loki's words.  Regexes, patterns and
 * templates are built once and thrown away, to see that they can be; the engine builds its own. */
#include "logql/check.h"

#include "base/arena.h"
#include "base/values.h"
#include "lines/extract_expr.h"
#include "lines/ip.h"
#include "lines/pattern.h"
#include "logql/print.h"
#include "model/name_list.h"
#include "regex/regex.h"
#include "template/template.h"

static int fail(struct err *err, const struct err *cause)
{
    return err_set(err, ERR_INVALID, "parse error : %s", cause->text);
}

static int compiles(struct str_view pattern, enum regex_mode mode, struct err *err)
{
    struct regex *re = NULL;
    int r = regex_compile(&re, pattern, mode, err);
    regex_unref(re);
    return r;
}

int check_match_value(struct err *err, enum match_op op, struct str_view value)
{
    struct err cause;
    if (op != MATCH_RE && op != MATCH_NRE)
        return 0;
    return compiles(value, REGEX_SEARCH, &cause) < 0 ? fail(err, &cause) : 0;
}

int check_label_replace(struct err *err, struct str_view regex)
{
    struct err cause;
    if (compiles(regex, REGEX_FULL, &cause) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "parse error : invalid regex in label_replace: %s",
                   cause.text);
}

/* ---- parsers that are built while parsing ---- */

static int check_groups(const struct regex *re, struct err *err)
{
    size_t n = 0, n_groups = regex_n_groups(re);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct str_view *names = (void *)buf_add(&b, n_groups * sizeof *names), duplicate;
    for (size_t g = 1; g < n_groups; g++)
        if (regex_group_name(re, g).len)
            names[n++] = regex_group_name(re, g);
    if (n == 0)
        return err_set(err, ERR_INVALID, "at least one named capture must be supplied");
    if (names_duplicate((struct name_list){names, n}, &duplicate))
        return err_set(err, ERR_INVALID, "duplicate extracted label name '%.*s'",
                       SV_ARG(sv_sub(duplicate, 0, 200)));
    return 0;
}

static int check_regexp(struct str_view text, struct err *err)
{
    struct regex *re = NULL;
    int r = regex_compile(&re, text, REGEX_SEARCH, err);
    if (r == 0)
        r = check_groups(re, err);
    regex_unref(re);
    return r < 0 ? err_context(err, r, "invalid regexp parser") : 0;
}

static int check_pattern(struct str_view text, enum pattern_use use, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct pattern p;
    return pattern_parse(&a, text, use, &p, err);
}

int check_parser_text(struct err *err, const struct stage *stage)
{
    struct err cause;
    int r = 0;
    if (stage->kind == STAGE_REGEXP) {
        r = check_regexp(stage->text, &cause);
    } else if (stage->kind == STAGE_PATTERN) {
        r = check_pattern(stage->text, PATTERN_EXTRACT, &cause);
        r = r < 0 ? err_context(&cause, r, "invalid pattern parser") : 0;
    }
    return r < 0 ? fail(err, &cause) : 0;
}

/* ---- metric expressions ---- */

static int check_operand(struct err *err, enum binary_op op, const struct logql_expr *e,
                         const char *side)
{
    if (e->kind == LOGQL_LOG)
        return err_set(err, ERR_INVALID,
                       "parse error : unexpected type for %s leg of binary operation (%s): "
                       "*syntax.%s",
                       side, binary_op_text(op), e->log.n_stages ? "PipelineExpr" : "MatchersExpr");
    return 0;
}

static int check_set_operand(struct err *err, enum binary_op op, const struct logql_expr *e,
                             const char *side)
{
    if (e->kind == LOGQL_LITERAL)
        return err_set(err, ERR_INVALID,
                       "parse error : unexpected literal for %s leg of logical/set binary "
                       "operation (%s): %f",
                       side, binary_op_text(op), e->number);
    return 0;
}

int check_operands(struct err *err, const struct logql_expr *e)
{
    enum binary_op op = e->binary.op;
    int r = check_operand(err, op, e->binary.left, "left");
    if (r == 0)
        r = check_operand(err, op, e->binary.right, "right");
    if (r == 0 && binary_op_is_set(op))
        r = check_set_operand(err, op, e->binary.left, "left");
    if (r == 0 && binary_op_is_set(op))
        r = check_set_operand(err, op, e->binary.right, "right");
    return r;
}

enum { UNWRAP_NEVER = 1, UNWRAP_MAY, UNWRAP_MUST };
static const struct {
    char unwrap;
    bool grouping;
} RANGE_RULES[N_RANGE_OPS] = {
    [RANGE_RATE] = {UNWRAP_MAY, false},          [RANGE_ABSENT] = {UNWRAP_MAY, false},
    [RANGE_COUNT] = {UNWRAP_NEVER, false},       [RANGE_BYTES] = {UNWRAP_NEVER, false},
    [RANGE_BYTES_RATE] = {UNWRAP_NEVER, false},  [RANGE_SUM] = {UNWRAP_MUST, false},
    [RANGE_RATE_COUNTER] = {UNWRAP_MUST, false}, [RANGE_AVG] = {UNWRAP_MUST, true},
    [RANGE_MIN] = {UNWRAP_MUST, true},           [RANGE_MAX] = {UNWRAP_MUST, true},
    [RANGE_STDDEV] = {UNWRAP_MUST, true},        [RANGE_STDVAR] = {UNWRAP_MUST, true},
    [RANGE_QUANTILE] = {UNWRAP_MUST, true},      [RANGE_FIRST] = {UNWRAP_MUST, true},
    [RANGE_LAST] = {UNWRAP_MUST, true},
};

static int check_quantile(struct err *err, struct range_agg *agg, struct str_view param)
{
    struct err cause;
    if (!param.p)
        return err_set(err, ERR_INVALID,
                       "parse error : parameter required for operation quantile_over_time");
    if (number_parse(param, &agg->param, &cause) < 0)
        return err_set(err, ERR_INVALID,
                       "parse error : invalid parameter for operation quantile_over_time: %s",
                       cause.text);
    return 0;
}

int check_range_agg(struct err *err, struct range_agg *agg, struct str_view param)
{
    const char *op = range_op_text(agg->op);
    if (agg->op == RANGE_QUANTILE) {
        int r = check_quantile(err, agg, param);
        if (r < 0)
            return r;
    } else if (param.p) {
        return err_set(err, ERR_INVALID,
                       "parse error : parameter %.*s not supported for operation %s",
                       SV_ARG(sv_sub(param, 0, 200)), op);
    }
    if (agg->grouping.present && !RANGE_RULES[agg->op].grouping)
        return err_set(err, ERR_INVALID, "parse error : grouping not allowed for %s aggregation",
                       op);
    if (agg->unwrap.present && RANGE_RULES[agg->op].unwrap == UNWRAP_NEVER)
        return err_set(err, ERR_INVALID, "parse error : invalid aggregation %s with unwrap", op);
    if (!agg->unwrap.present && RANGE_RULES[agg->op].unwrap == UNWRAP_MUST)
        return err_set(err, ERR_INVALID, "parse error : invalid aggregation %s without unwrap", op);
    return 0;
}

static int check_k(struct err *err, const char *op, struct str_view param, int64_t *ret)
{
    if (!param.p)
        return err_set(err, ERR_INVALID, "parse error : parameter required for operation %s", op);
    struct str_view shown = sv_sub(param, 0, 200);
    if (!sv_to_i64(param, ret))
        return err_set(err, ERR_INVALID, "parse error : invalid parameter %s(%.*s,", op,
                       SV_ARG(shown));
    if (*ret <= 0)
        return err_set(err, ERR_INVALID,
                       "parse error : invalid parameter (must be greater than 0) %s(%.*s", op,
                       SV_ARG(shown));
    return 0;
}

int check_vector_agg(struct err *err, struct logql_expr *agg, struct str_view param)
{
    enum vector_op op = agg->vector_agg.op;
    const struct grouping *g = &agg->vector_agg.grouping;
    const char *text = vector_op_text(op);
    bool wants_k = op == VECTOR_TOPK || op == VECTOR_BOTTOMK || op == VECTOR_APPROX_TOPK;
    if (wants_k) {
        int r = check_k(err, text, param, &agg->vector_agg.k);
        if (r < 0)
            return r;
    } else if (param.p) {
        return err_set(err, ERR_INVALID,
                       "parse error : unsupported parameter for operation %s(%.*s,", text,
                       SV_ARG(sv_sub(param, 0, 200)));
    }
    if (op == VECTOR_APPROX_TOPK && g->present)
        return err_set(err, ERR_INVALID, "parse error : grouping not allowed for %s aggregation",
                       text);
    if ((op == VECTOR_SORT || op == VECTOR_SORT_DESC) && g->names.n > 0)
        return err_set(err, ERR_INVALID,
                       "parse error : sort and sort_desc doesn't allow grouping by ");
    return 0;
}

/* ---- stages, once all has parsed ---- */

static int check_operand_of(enum line_op op, const struct line_operand *operand, struct err *err)
{
    struct ip_range range;
    if (operand->is_ip) {
        if (op != LINE_CONTAINS && op != LINE_NOT_CONTAINS)
            return err_set(err, ERR_INVALID, "ip: invalid operation");
        return ip_range_parse(operand->text, &range, err);
    }
    if (op == LINE_RE || op == LINE_NOT_RE)
        return compiles(operand->text, REGEX_SEARCH, err);
    if (op == LINE_PATTERN || op == LINE_NOT_PATTERN)
        return check_pattern(operand->text, PATTERN_FILTER, err);
    return 0;
}

static int check_line_filter(const struct line_filter *f, struct err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < f->n_operands; i++)
        r = check_operand_of(f->op, &f->operands[i], err);
    return r;
}

static int check_extractions(const struct stage *s, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->parser.n_extractions; i++) {
        struct json_path path;
        struct str_view key, expr = s->parser.extractions[i].expr;
        r = s->kind == STAGE_JSON ? json_path_parse(&a, expr, &path, err)
                                  : logfmt_key_parse(expr, &key, err);
    }
    return r;
}

static int check_label_filter(const struct label_filter *f, struct err *err)
{
    struct ip_range range;
    if (f->kind == LABEL_FILTER_AND || f->kind == LABEL_FILTER_OR) {
        int r = check_label_filter(f->pair.left, err);
        return r < 0 ? r : check_label_filter(f->pair.right, err);
    }
    return f->kind == LABEL_FILTER_IP ? ip_range_parse(f->ip.text, &range, err) : 0;
}

static int check_template(struct str_view text, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct template *t;
    return template_parse(&a, text, &t, err);
}

static int check_label_format(const struct stage *s, struct err *err)
{
    size_t n = s->label_format.n;
    const struct label_format *v = s->label_format.v;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct str_view *names = (void *)buf_add(&b, n * sizeof *names), duplicate;
    for (size_t i = 0; i < n; i++) {
        names[i] = v[i].dst;
        if (sv_eq(v[i].dst, SV("__error__")))
            return err_set(err, ERR_INVALID, "%.*s cannot be formatted", SV_ARG(v[i].dst));
    }
    if (names_duplicate((struct name_list){names, n}, &duplicate))
        return err_set(err, ERR_INVALID,
                       "multiple label name '%.*s' not allowed in a single format operation",
                       SV_ARG(sv_sub(duplicate, 0, 200)));
    for (size_t i = 0; i < n; i++) {
        int r = v[i].is_template ? check_template(v[i].src, err) : 0;
        if (r < 0)
            return err_context(err, r, "invalid template for label '%.*s'",
                               SV_ARG(sv_sub(v[i].dst, 0, 200)));
    }
    return 0;
}

static int check_stage(const struct stage *s, struct err *err)
{
    int r;
    switch (s->kind) {
    case STAGE_LINE_FILTER:
        return check_line_filter(&s->line_filter, err);
    case STAGE_JSON:
    case STAGE_LOGFMT:
        return check_extractions(s, err);
    case STAGE_LABEL_FILTER:
        return check_label_filter(s->label_filter, err);
    case STAGE_LINE_FORMAT:
        r = check_template(s->text, err);
        return r < 0 ? err_context(err, r, "invalid line template") : 0;
    case STAGE_LABEL_FORMAT:
        return check_label_format(s, err);
    case STAGE_REGEXP:
    case STAGE_PATTERN:
    case STAGE_UNPACK:
    case STAGE_DECOLORIZE:
    case STAGE_DROP:
    case STAGE_KEEP:
        break;
    }
    return 0;
}

static int fail_stage(const struct stage *s, struct err *err, const struct err *cause)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    logql_print_stage(&b, s);
    return err_set(err, ERR_INVALID, "parse error : stage '%.*s' : %s",
                   SV_ARG(sv_sub(buf_view(&b), 0, 500)), cause->text);
}

static int check_stages(const struct log_query *log, struct err *err)
{
    struct err cause;
    for (size_t i = 0; i < log->n_stages; i++)
        if (check_stage(&log->stages[i], &cause) < 0)
            return fail_stage(&log->stages[i], err, &cause);
    return 0;
}

static int check_unwrap(const struct unwrap *u, struct err *err)
{
    struct err cause;
    for (size_t i = 0; i < u->n_post_filters; i++) {
        struct stage s = {.kind = STAGE_LABEL_FILTER, .label_filter = u->post_filters[i]};
        if (check_stage(&s, &cause) < 0)
            return fail_stage(&s, err, &cause);
    }
    return 0;
}

/* ---- selectors ---- */

static bool regex_matches_empty(struct str_view pattern)
{
    struct regex *re = NULL;
    if (regex_compile(&re, pattern, REGEX_FULL_DOTALL, NULL) < 0)
        return true;
    struct regex_scratch *scratch = regex_scratch_new();
    bool matches = regex_matches(re, scratch, SV_EMPTY);
    regex_scratch_free(scratch);
    regex_unref(re);
    return matches;
}

static bool matches_empty(const struct matcher *m)
{
    switch (m->op) {
    case MATCH_EQ:
        return m->value.len == 0;
    case MATCH_NE:
        return m->value.len > 0;
    case MATCH_RE:
        return regex_matches_empty(m->value);
    case MATCH_NRE:
        return !regex_matches_empty(m->value);
    }
    return true;
}

static int check_selector(const struct log_query *log, struct err *err)
{
    for (size_t i = 0; i < log->n_matchers; i++)
        if (!matches_empty(&log->matchers[i]))
            return 0;
    return err_set(err, ERR_INVALID,
                   "parse error : queries require at least one regexp or equality matcher that "
                   "does not have an empty-compatible value. For instance, app=~\".*\" does not "
                   "meet this requirement, but app=~\".+\" will");
}

static int for_each_log(const struct logql_expr *e,
                        int (*check)(const struct log_query *, struct err *), struct err *err)
{
    int r = 0;
    switch (e->kind) {
    case LOGQL_LOG:
        return check(&e->log, err);
    case LOGQL_RANGE_AGG:
        return check(&e->range.log, err);
    case LOGQL_VECTOR_AGG:
        return for_each_log(e->vector_agg.inner, check, err);
    case LOGQL_LABEL_REPLACE:
        return for_each_log(e->label_replace.inner, check, err);
    case LOGQL_BINARY:
        r = for_each_log(e->binary.left, check, err);
        return r < 0 ? r : for_each_log(e->binary.right, check, err);
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        break;
    }
    return 0;
}

static int check_unwraps(const struct logql_expr *e, struct err *err)
{
    int r = 0;
    switch (e->kind) {
    case LOGQL_RANGE_AGG:
        return check_unwrap(&e->range.unwrap, err);
    case LOGQL_VECTOR_AGG:
        return check_unwraps(e->vector_agg.inner, err);
    case LOGQL_LABEL_REPLACE:
        return check_unwraps(e->label_replace.inner, err);
    case LOGQL_BINARY:
        r = check_unwraps(e->binary.left, err);
        return r < 0 ? r : check_unwraps(e->binary.right, err);
    case LOGQL_LOG:
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        break;
    }
    return 0;
}

int check_tree(const struct logql_expr *e, struct err *err)
{
    int r = for_each_log(e, check_selector, err);
    if (r == 0)
        r = for_each_log(e, check_stages, err);
    return r < 0 ? r : check_unwraps(e, err);
}
