/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the language in one sorted table.  Those that are functions are names where no
 * parenthesis follows, so that a label may be called `rate`. */
#include "logql/lex_words.h"

#include "base/ascii.h"

#define KEYWORD(text, kind)                                                                        \
    {                                                                                              \
        text, text, kind, 0, false                                                                 \
    }
#define RANGE_WORD(text, shown, op)                                                                \
    {                                                                                              \
        text, shown, T_RANGE_OP, op, true                                                          \
    }
#define VECTOR_WORD(text, shown, op)                                                               \
    {                                                                                              \
        text, shown, T_VECTOR_OP, op, true                                                         \
    }

/* Sorted by text. */
static const struct word WORDS[] = {
    RANGE_WORD("absent_over_time", "ABSENT_OVER_TIME", RANGE_ABSENT),
    KEYWORD("and", T_AND),
    VECTOR_WORD("approx_topk", "APPROX_TOPK", VECTOR_APPROX_TOPK),
    VECTOR_WORD("avg", "AVG", VECTOR_AVG),
    RANGE_WORD("avg_over_time", "AVG_OVER_TIME", RANGE_AVG),
    KEYWORD("bool", T_BOOL),
    VECTOR_WORD("bottomk", "BOTTOMK", VECTOR_BOTTOMK),
    KEYWORD("by", T_BY),
    {"bytes", "BYTES_CONV", T_CONV, UNWRAP_BYTES, true},
    RANGE_WORD("bytes_over_time", "BYTES_OVER_TIME", RANGE_BYTES),
    RANGE_WORD("bytes_rate", "BYTES_RATE", RANGE_BYTES_RATE),
    VECTOR_WORD("count", "COUNT", VECTOR_COUNT),
    RANGE_WORD("count_over_time", "COUNT_OVER_TIME", RANGE_COUNT),
    KEYWORD("decolorize", T_DECOLORIZE),
    KEYWORD("drop", T_DROP),
    {"duration", "DURATION_CONV", T_CONV, UNWRAP_DURATION, true},
    {"duration_seconds", "DURATION_SECONDS_CONV", T_CONV, UNWRAP_DURATION_SECONDS, true},
    RANGE_WORD("first_over_time", "FIRST_OVER_TIME", RANGE_FIRST),
    KEYWORD("group_left", T_GROUP_LEFT),
    KEYWORD("group_right", T_GROUP_RIGHT),
    KEYWORD("ignoring", T_IGNORING),
    {"ip", "ip", T_IP, 0, true},
    KEYWORD("json", T_JSON),
    KEYWORD("keep", T_KEEP),
    KEYWORD("label_format", T_LABEL_FORMAT),
    {"label_replace", "label_replace", T_LABEL_REPLACE, 0, true},
    RANGE_WORD("last_over_time", "LAST_OVER_TIME", RANGE_LAST),
    KEYWORD("line_format", T_LINE_FORMAT),
    KEYWORD("logfmt", T_LOGFMT),
    VECTOR_WORD("max", "MAX", VECTOR_MAX),
    RANGE_WORD("max_over_time", "MAX_OVER_TIME", RANGE_MAX),
    VECTOR_WORD("min", "MIN", VECTOR_MIN),
    RANGE_WORD("min_over_time", "MIN_OVER_TIME", RANGE_MIN),
    KEYWORD("offset", T_OFFSET),
    KEYWORD("on", T_ON),
    KEYWORD("or", T_OR),
    KEYWORD("pattern", T_PATTERN),
    RANGE_WORD("quantile_over_time", "QUANTILE_OVER_TIME", RANGE_QUANTILE),
    RANGE_WORD("rate", "RATE", RANGE_RATE),
    RANGE_WORD("rate_counter", "RATE_COUNTER", RANGE_RATE_COUNTER),
    KEYWORD("regexp", T_REGEXP),
    VECTOR_WORD("sort", "SORT", VECTOR_SORT),
    VECTOR_WORD("sort_desc", "SORT_DESC", VECTOR_SORT_DESC),
    VECTOR_WORD("stddev", "STDDEV", VECTOR_STDDEV),
    RANGE_WORD("stddev_over_time", "STDDEV_OVER_TIME", RANGE_STDDEV),
    VECTOR_WORD("stdvar", "STDVAR", VECTOR_STDVAR),
    RANGE_WORD("stdvar_over_time", "STDVAR_OVER_TIME", RANGE_STDVAR),
    VECTOR_WORD("sum", "SUM", VECTOR_SUM),
    RANGE_WORD("sum_over_time", "SUM_OVER_TIME", RANGE_SUM),
    VECTOR_WORD("topk", "TOPK", VECTOR_TOPK),
    KEYWORD("unless", T_UNLESS),
    KEYWORD("unpack", T_UNPACK),
    KEYWORD("unwrap", T_UNWRAP),
    {"vector", "VECTOR", T_VECTOR, 0, true},
    KEYWORD("without", T_WITHOUT),
};
enum { N_WORDS = sizeof WORDS / sizeof WORDS[0] };

const struct word *word_find(struct str_view text)
{
    char lower[WORD_MAX_BYTES];
    if (text.len < 2 || text.len > WORD_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < text.len; i++)
        lower[i] = (char)ascii_lower(text.p[i]);
    size_t low = 0, high = N_WORDS;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = sv_cmp(sv(lower, text.len), sv_of(WORDS[mid].text));
        if (c == 0)
            return &WORDS[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct word *word_of_token(enum token_kind kind, int op)
{
    for (size_t i = 0; i < N_WORDS; i++)
        if (WORDS[i].kind == kind && (WORDS[i].op == op || !WORDS[i].is_function))
            return &WORDS[i];
    return NULL;
}
