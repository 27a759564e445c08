/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/params.h"

#include <math.h>

#include "base/clock.h"
#include "base/rfc3339.h"
#include "base/values.h"

enum { MAX_POINTS = 11000, DEFAULT_LIMIT = 100, MAX_SECONDS_DIGITS = 10, DEFAULT_POINTS = 250 };

struct str_view param_get(struct param_list l, struct str_view name)
{
    for (size_t i = 0; i < l.n; i++)
        if (sv_eq(l.v[i].name, name))
            return l.v[i].value;
    return (struct str_view){NULL, 0};
}

/* ---- time ---- */

static bool skip(struct str_view *s, char c)
{
    if (s->len == 0 || s->p[0] != c)
        return false;
    *s = sv_from(*s, 1);
    return true;
}

static bool float_seconds(struct str_view text, int64_t *ret_ns)
{
    double v, whole;
    if (number_parse(text, &v, NULL) < 0 || !isfinite(v) || fabs(v) > 9e9)
        return false;
    double ms = round(modf(v, &whole) * 1000);
    *ret_ns = (int64_t)whole * NS_PER_S + (int64_t)ms * NS_PER_MS;
    return true;
}

/* Seconds that no nanosecond count reaches are as late, or early, as there is. */
static int64_t seconds_ns(int64_t s)
{
    int64_t ns;
    return __builtin_mul_overflow(s, NS_PER_S, &ns) ? (s < 0 ? INT64_MIN : INT64_MAX) : ns;
}

int param_time(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (sv_find_byte(text, '.') < text.len && float_seconds(text, ret_ns))
        return 0;
    struct str_view number = text;
    skip(&number, '+');
    int64_t v;
    if (sv_to_i64(number, &v)) {
        *ret_ns = text.len <= MAX_SECONDS_DIGITS ? seconds_ns(v) : v;
        return 0;
    }
    if (rfc3339_parse(text, ret_ns))
        return 0;
    return err_set(err, ERR_INVALID,
                   "parsing time \"%.*s\" as \"2006-01-02T15:04:05.999999999Z07:00\": cannot parse "
                   "it as seconds, nanoseconds or RFC 3339",
                   SV_ARG(text));
}

static int time_or(struct param_list l, const char *name, int64_t otherwise, int64_t *ret_ns,
                   struct err *err)
{
    struct str_view text = param_get(l, sv_of(name));
    if (text.len == 0) {
        *ret_ns = otherwise;
        return 0;
    }
    int r = param_time(text, ret_ns, err);
    return r < 0 ? err_context(err, r, "could not parse '%s' parameter", name) : 0;
}

int params_bounds(struct param_list l, int64_t now_ns, int64_t *ret_start_ns, int64_t *ret_end_ns,
                  struct err *err)
{
    int64_t since_ns = NS_PER_HOUR;
    struct str_view since = param_get(l, SV("since"));
    int r;
    if (since.len && (r = duration_parse_prom(since, &since_ns, err)) < 0)
        return err_context(err, r, "could not parse 'since' parameter");
    if ((r = time_or(l, "end", now_ns, ret_end_ns, err)) < 0)
        return r;
    int64_t from = *ret_end_ns < now_ns ? *ret_end_ns : now_ns;
    int64_t start;
    if (__builtin_sub_overflow(from, since_ns, &start))
        start = INT64_MIN;
    return time_or(l, "start", start, ret_start_ns, err);
}

/* ---- the rest ---- */

int param_step(struct str_view text, int64_t *ret_ns, struct err *err)
{
    double s;
    if (number_parse(text, &s, NULL) == 0) {
        double ns = s * 1e9;
        if (!(ns > -9.2e18 && ns < 9.2e18))
            return err_set(err, ERR_INVALID,
                           "cannot parse \"%.*s\" to a valid duration. It overflows int64",
                           SV_ARG(text));
        *ret_ns = (int64_t)ns;
        return 0;
    }
    if (duration_parse_prom(text, ret_ns, NULL) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "cannot parse \"%.*s\" to a valid duration", SV_ARG(text));
}

static int limit_of(struct param_list l, int64_t *ret, struct err *err)
{
    struct str_view text = param_get(l, SV("limit"));
    *ret = DEFAULT_LIMIT;
    if (text.len == 0)
        return 0;
    struct str_view number = text;
    skip(&number, '+');
    if (!sv_to_i64(number, ret))
        return err_set(err, ERR_INVALID, "strconv.Atoi: parsing \"%.*s\": invalid syntax",
                       SV_ARG(text));
    if (*ret <= 0)
        return err_set(err, ERR_INVALID, "limit must be a positive value");
    return 0;
}

static int direction_of(struct param_list l, bool *ret_backward, struct err *err)
{
    struct str_view text = param_get(l, SV("direction"));
    *ret_backward = true;
    if (text.len == 0 || sv_eq_nocase(text, SV("backward")))
        return 0;
    *ret_backward = false;
    if (sv_eq_nocase(text, SV("forward")))
        return 0;
    return err_set(err, ERR_INVALID, "invalid direction '%.*s'", SV_ARG(text));
}

static int step_of(struct param_list l, struct query_params *p, struct err *err)
{
    struct str_view text = param_get(l, SV("step"));
    int64_t span_ns;
    if (__builtin_sub_overflow(p->end_ns, p->start_ns, &span_ns))
        span_ns = INT64_MAX;
    int64_t whole_s = span_ns / NS_PER_S / DEFAULT_POINTS;
    p->step_ns = (whole_s > 1 ? whole_s : 1) * NS_PER_S;
    int r;
    if (text.len && (r = param_step(text, &p->step_ns, err)) < 0)
        return r;
    if (p->step_ns <= 0)
        return err_set(err, ERR_INVALID,
                       "zero or negative query resolution step widths are not accepted. Try a "
                       "positive integer");
    if (span_ns / p->step_ns > MAX_POINTS)
        return err_set(err, ERR_INVALID,
                       "exceeded maximum resolution of 11,000 points per time series. Try "
                       "increasing the value of the step parameter");
    return 0;
}

static int ordered_bounds(struct param_list l, int64_t now_ns, struct query_params *p,
                          struct err *err)
{
    int r = params_bounds(l, now_ns, &p->start_ns, &p->end_ns, err);
    if (r < 0)
        return r;
    if (p->end_ns < p->start_ns)
        return err_set(err, ERR_INVALID, "end timestamp must not be before or equal to start time");
    return 0;
}

static int interval_of(struct param_list l, int64_t *ret_ns, struct err *err)
{
    struct str_view text = param_get(l, SV("interval"));
    *ret_ns = 0;
    int r;
    if (text.len && (r = param_step(text, ret_ns, err)) < 0)
        return r;
    return *ret_ns < 0 ? err_set(err, ERR_INVALID, "interval must be >= 0") : 0;
}

int params_range(struct param_list l, int64_t now_ns, struct query_params *ret, struct err *err)
{
    *ret = (struct query_params){.query = param_get(l, SV("query"))};
    int r = ordered_bounds(l, now_ns, ret, err);
    if (r < 0)
        return r;
    if ((r = limit_of(l, &ret->limit, err)) < 0 || (r = direction_of(l, &ret->backward, err)) < 0 ||
        (r = step_of(l, ret, err)) < 0)
        return r;
    return interval_of(l, &ret->interval_ns, err);
}

int params_stepped_bounds(struct param_list l, int64_t now_ns, int64_t *ret_start_ns,
                          int64_t *ret_end_ns, int64_t *ret_step_ns, struct err *err)
{
    struct query_params p = {0};
    int r = ordered_bounds(l, now_ns, &p, err);
    if (r == 0)
        r = step_of(l, &p, err);
    *ret_start_ns = p.start_ns;
    *ret_end_ns = p.end_ns;
    *ret_step_ns = p.step_ns;
    return r;
}

int params_instant(struct param_list l, int64_t now_ns, struct query_params *ret, struct err *err)
{
    *ret = (struct query_params){.query = param_get(l, SV("query"))};
    int r = limit_of(l, &ret->limit, err);
    if (r < 0 || (r = time_or(l, "time", now_ns, &ret->start_ns, err)) < 0)
        return r;
    ret->end_ns = ret->start_ns;
    return direction_of(l, &ret->backward, err);
}

/* How far it lies past a multiple of step. */
static int64_t past_multiple(int64_t ts_ns, int64_t step_ns)
{
    int64_t over = ts_ns % step_ns;
    return over < 0 ? over + step_ns : over;
}

/* At the ends of time the multiple may have no name; then the bound stays. */
void params_align(struct query_params *p)
{
    int64_t over = past_multiple(p->end_ns, p->step_ns), aligned;
    if (over > 0 && !__builtin_add_overflow(p->end_ns, p->step_ns - over, &aligned))
        p->end_ns = aligned;
    over = past_multiple(p->start_ns, p->step_ns);
    if (!__builtin_sub_overflow(p->start_ns, over, &aligned))
        p->start_ns = aligned;
}
