/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/query_limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/values.h"
#include "querier/blocked.h"

/* ---- tags ---- */

static bool is_tag_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-=.@, ", c));
}

struct str_view query_tags_normal(struct arena *a, struct str_view header)
{
    char *to = arena_alloc(a, header.len + 1);
    for (size_t i = 0; i < header.len; i++)
        to[i] = is_tag_char((unsigned char)header.p[i]) ? header.p[i] : '_';
    to[header.len] = '\0';
    return sv(to, header.len);
}

struct str_view query_tags_get(struct str_view tags, struct str_view name)
{
    while (tags.len > 0) {
        size_t comma = sv_find_byte(tags, ',');
        struct str_view pair = sv_sub(tags, 0, comma);
        tags = sv_from(tags, comma + 1);
        size_t equals = sv_find_byte(pair, '=');
        if (equals < pair.len && sv_eq_nocase(sv_trim(sv_sub(pair, 0, equals)), name))
            return sv_trim(sv_from(pair, equals + 1));
    }
    return (struct str_view){NULL, 0};
}

/* ---- matchers ---- */

static bool has_matcher(const struct matcher *v, size_t n, struct str_view name)
{
    for (size_t i = 0; i < n; i++)
        if (sv_eq(v[i].name, name))
            return true;
    return false;
}

static void put_name(struct buf *out, struct str_view name)
{
    if (out->len > 0)
        buf_put(out, SV(", "));
    buf_put(out, name);
}

static void put_present(struct buf *out, const struct matcher *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_name(out, v[i].name);
}

static int check_required(const struct limits *l, const struct matcher *v, size_t n,
                          struct err *err)
{
    CLEANUP(buf_deinit) struct buf missing = BUF_INIT, present = BUF_INIT;
    for (size_t i = 0; i < l->required_labels.n; i++) {
        struct str_view name = sv_of(l->required_labels.v[i]);
        if (!has_matcher(v, n, name))
            put_name(&missing, name);
    }
    if (missing.len == 0)
        return 0;
    put_present(&present, v, n);
    return err_set(err, ERR_INVALID,
                   "stream selector is missing required matchers [%.*s], labels present in the "
                   "query were [%.*s]",
                   SV_ARG(buf_view(&missing)), SV_ARG(buf_view(&present)));
}

int query_limits_check_matchers(const struct limits *l, const struct matcher *v, size_t n,
                                struct err *err)
{
    if (l->max_streams_matchers_per_query > 0 && (int64_t)n > l->max_streams_matchers_per_query)
        return err_set(err, ERR_INVALID,
                       "max streams matchers per query exceeded, matchers-count > limit (%zu > "
                       "%" PRId64 ")",
                       n, l->max_streams_matchers_per_query);
    int r = check_required(l, v, n, err);
    if (r < 0 || (int64_t)n >= l->minimum_labels_number)
        return r;
    CLEANUP(buf_deinit) struct buf present = BUF_INIT;
    put_present(&present, v, n);
    return err_set(err, ERR_INVALID,
                   "stream selector has less label matchers than required: (present: [%.*s], "
                   "number_present: %zu, required_number_label_matchers: %" PRId64 ")",
                   SV_ARG(buf_view(&present)), n, l->minimum_labels_number);
}

/* ---- the query ---- */

static int check_range(const struct limits *l, const struct range_agg *range, struct err *err)
{
    if (l->max_query_range_ns <= 0 || range->range_ns <= l->max_query_range_ns)
        return 0;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    buf_put(&text, SV("[interval] value exceeds limit: ["));
    conf_put_prom_duration(&text, range->range_ns);
    buf_put(&text, SV("] > ["));
    conf_put_prom_duration(&text, l->max_query_range_ns);
    buf_put_u8(&text, ']');
    return err_set(err, ERR_INVALID, "%.*s", SV_ARG(buf_view(&text)));
}

static int check_log(void *ctx, const struct log_query *log, const struct range_agg *range,
                     struct err *err)
{
    const struct limits *l = *(const struct limits **)ctx;
    int r = query_limits_check_matchers(l, log->matchers, log->n_matchers, err);
    return r == 0 && range ? check_range(l, range, err) : r;
}

int query_limits_check_length(const struct limits *l, int64_t start_ns, int64_t end_ns,
                              struct err *err)
{
    int64_t length_ns;
    if (__builtin_sub_overflow(end_ns, start_ns, &length_ns))
        length_ns = INT64_MAX;
    if (l->max_query_length_ns <= 0 || length_ns <= l->max_query_length_ns)
        return 0;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    buf_put(&text, SV("the query time range exceeds the limit (query length: "));
    buf_put_duration_go(&text, length_ns);
    buf_put(&text, SV(", limit: "));
    conf_put_prom_duration(&text, l->max_query_length_ns);
    buf_put_u8(&text, ')');
    return err_set(err, ERR_INVALID, "%.*s", SV_ARG(buf_view(&text)));
}

static int check_entries(const struct limits *l, const struct asked_query *q, struct err *err)
{
    int64_t most = l->max_entries_limit_per_query;
    if (logql_is_metric(q->expr) || most <= 0 || q->max_entries <= most)
        return 0;
    return err_set(err, ERR_INVALID,
                   "max entries limit per query exceeded, limit > max_entries_limit_per_query "
                   "(%" PRId64 " > %" PRId64 ")",
                   q->max_entries, most);
}

int query_limits_check(const struct limits *l, const struct asked_query *q, struct err *err)
{
    if (l->max_query_parallelism == 0 || l->tsdb_max_query_parallelism == 0)
        return err_set(err, ERR_RATE_LIMITED,
                       "querying is disabled, please contact your Loki operator");
    int r = check_entries(l, q, err);
    if (r == 0)
        r = logql_each_selector(q->expr, check_log, &l, err);
    if (r == 0)
        r = query_limits_check_length(l, q->start_ns, q->end_ns, err);
    if (r == 0 && q->may_be_blocked && query_is_blocked(l->blocked_queries, q))
        r = err_set(err, ERR_INVALID, "query blocked by policy");
    return r;
}

bool query_limits_clip(const struct limits *l, int64_t now_ns, int64_t *start_ns, int64_t end_ns)
{
    if (l->max_query_lookback_ns <= 0)
        return true;
    int64_t first_ns;
    if (__builtin_sub_overflow(now_ns, l->max_query_lookback_ns, &first_ns))
        return true;
    if (end_ns < first_ns)
        return false;
    if (*start_ns < first_ns)
        *start_ns = first_ns;
    return true;
}

/* ---- bytes to be read ---- */

enum { SIZE_TEXT_BYTES = 32 };

/* "1.5 GiB": one decimal below ten. */
static const char *size_text(uint64_t bytes, char *to)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    unsigned u = 0;
    for (; v >= 1024 && u < 6; u++)
        v /= 1024;
    snprintf(to, SIZE_TEXT_BYTES, "%.*f %s", v < 10 && u > 0, v, units[u]);
    return to;
}

int query_estimate_check(uint64_t n_bytes, uint64_t limit_bytes, struct err *err)
{
    char got[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];
    if (n_bytes <= limit_bytes)
        return 0;
    return err_set(err, ERR_INVALID,
                   "the query would read too many bytes (query: %s, limit: %s); consider adding "
                   "more specific stream selectors or reduce the time range of the query "
                   "(max_query_bytes_read)",
                   size_text(n_bytes, got), size_text(limit_bytes, most));
}
