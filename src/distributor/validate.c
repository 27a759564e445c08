/* SPDX-License-Identifier: Apache-2.0 */
#include "distributor/validate.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/discard.h"

COUNTER_BY(mutated_entries, "loki_mutated_samples_total", "Entries changed on the way in", "reason",
           "tenant");
COUNTER_BY(mutated_bytes, "loki_mutated_bytes_total", "Bytes of entries changed on the way in",
           "reason", "tenant");

/* Beyond these no configuration goes: what is kept and queried later relies on them. */
enum { HARD_LINE_BYTES = 16 << 20, HARD_METADATA_PAIRS = LABELS_MAX_PAIRS / 2 - 1 };
enum { HARD_METADATA_BYTES = LABELS_MAX_BYTES / 2, STREAM_TEXT_BYTES = 16 << 10 };

/* The stream at hand and its text, made when first needed. */
struct subject {
    struct validation *v;
    const struct push_stream *s;
    struct arena *arena;
    struct str_view text; /* p == NULL: not yet made */
};

static struct str_view stream_text(struct subject *at)
{
    if (!at->text.p) {
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        labels_print(&b, at->s->set);
        at->text = arena_copy(at->arena, sv_sub(buf_view(&b), 0, STREAM_TEXT_BYTES));
    }
    return at->text;
}

static void complain(struct subject *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(struct subject *at, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct complaints *c = &at->v->complaints;
    va_list ap, again;
    if (!complaints_want_text(c)) {
        complaints_add_untold(c);
        return;
    }
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    vsnprintf(buf_add(&text, (size_t)n + 1), (size_t)n + 1, fmt, again);
    va_end(again);
    complaints_add(c, sv(text.p, (size_t)n));
}

static uint64_t entry_bytes(const struct push_entry *e)
{
    return e->e.line.len + e->sm_raw_bytes;
}

/* Whole seconds, as Go's RFC3339. */
static const char *time_text(int64_t ts_ns, char text[CLOCK_TEXT_BYTES])
{
    if (ts_ns == PUSH_TS_TOO_OLD)
        return "0001-01-01T00:00:00Z";
    int64_t s = ts_ns / NS_PER_S - (ts_ns % NS_PER_S < 0);
    struct tm tm;
    time_t t = (time_t)s;
    gmtime_r(&t, &tm);
    strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

/* ---- labels ---- */

static const char *check_label(struct subject *at, const struct label *l,
                               const struct label *before)
{
    const struct limits *limits = at->v->limits;
    if ((int64_t)l->name.len > limits->max_label_name_length) {
        complain(at, "stream '%.*s' has label name too long: '%.*s'", SV_ARG(stream_text(at)),
                 SV_ARG(sv_sub(l->name, 0, STREAM_TEXT_BYTES)));
        return DISCARD_LABEL_NAME_TOO_LONG;
    }
    if ((int64_t)l->value.len > limits->max_label_value_length) {
        complain(at, "stream '%.*s' has label value too long: '%.*s'", SV_ARG(stream_text(at)),
                 SV_ARG(sv_sub(l->value, 0, STREAM_TEXT_BYTES)));
        return DISCARD_LABEL_VALUE_TOO_LONG;
    }
    if (before && sv_eq(before->name, l->name)) {
        complain(at, "stream '%.*s' has duplicate label name: '%.*s'", SV_ARG(stream_text(at)),
                 SV_ARG(l->name));
        return DISCARD_DUPLICATE_LABEL_NAMES;
    }
    return NULL;
}

/* The reason to refuse the stream, or NULL. */
static const char *check_labels(struct subject *at)
{
    const struct push_stream *s = at->s;
    int64_t n_names = (int64_t)s->set.n - s->service_name_added;
    if (s->set.n == 0) {
        complain(at, "error at least one label pair is required per stream");
        return DISCARD_MISSING_LABELS;
    }
    if (n_names > at->v->limits->max_label_names_per_series) {
        complain(at, "entry for stream '%.*s' has %lld label names; limit %lld",
                 SV_ARG(stream_text(at)), (long long)n_names,
                 (long long)at->v->limits->max_label_names_per_series);
        return DISCARD_MAX_LABEL_NAMES;
    }
    for (size_t i = 0; i < s->set.n; i++) {
        const char *why = check_label(at, &s->set.v[i], i ? &s->set.v[i - 1] : NULL);
        if (why)
            return why;
    }
    return NULL;
}

static const char *check_enforced(struct subject *at)
{
    const struct conf_strings *wanted = &at->v->limits->enforced_labels;
    CLEANUP(buf_deinit) struct buf missing = BUF_INIT;
    if (wanted->n == 0 || labels_get(at->s->set, SV("__aggregated_metric__")).p ||
        labels_get(at->s->set, SV("__pattern__")).p)
        return NULL;
    for (size_t i = 0; i < wanted->n; i++)
        if (!labels_get(at->s->set, sv_of(wanted->v[i])).p)
            buf_printf(&missing, "%s%s", missing.len ? "," : "", wanted->v[i]);
    if (missing.len == 0)
        return NULL;
    complain(at, "missing required labels %.*s for user %.*s for stream %.*s",
             SV_ARG(buf_view(&missing)), SV_ARG(at->v->tenant), SV_ARG(stream_text(at)));
    return DISCARD_MISSING_ENFORCED_LABELS;
}

/* ---- entries ---- */

static const char *check_time(struct subject *at, int64_t ts_ns, int64_t oldest_ns,
                              int64_t newest_ns)
{
    char ts[CLOCK_TEXT_BYTES], cutoff[CLOCK_TEXT_BYTES];
    if (ts_ns < oldest_ns || ts_ns == PUSH_TS_TOO_OLD) {
        complain(at,
                 "entry for stream '%.*s' has timestamp too old: %s, oldest acceptable timestamp "
                 "is: %s",
                 SV_ARG(stream_text(at)), time_text(ts_ns, ts),
                 time_text(oldest_ns == PUSH_TS_TOO_OLD ? 0 : oldest_ns, cutoff));
        return DISCARD_TOO_OLD;
    }
    if (ts_ns > newest_ns || ts_ns == PUSH_TS_TOO_NEW) {
        complain(at, "entry for stream '%.*s' has timestamp too new: %s", SV_ARG(stream_text(at)),
                 time_text(ts_ns, ts));
        return DISCARD_TOO_NEW;
    }
    return NULL;
}

/* Each day has a table of its own in the index, so a push may not ask for any number of them. */
static const char *check_day(struct subject *at, int64_t ts_ns)
{
    struct validation *v = at->v;
    int64_t day = ts_ns / NS_PER_DAY - (ts_ns % NS_PER_DAY < 0);
    for (size_t i = 0; i < v->n_days; i++) {
        if (v->days[i] != day)
            continue;
        v->days[i] = v->days[0];
        v->days[0] = day;
        return NULL;
    }
    if (v->n_days == VALIDATE_MAX_DAYS) {
        char ts[CLOCK_TEXT_BYTES];
        complain(at,
                 "entry for stream '%.*s' has timestamp %s, in a day more than the %d that the "
                 "entries of one push may lie in: send older entries in pushes of their own",
                 SV_ARG(stream_text(at)), time_text(ts_ns, ts), VALIDATE_MAX_DAYS);
        return DISCARD_TOO_MANY_DAYS;
    }
    v->days[v->n_days++] = v->days[0];
    v->days[0] = day;
    return NULL;
}

/* 0 means no limit, but for the one that always holds. */
static uint64_t limit_or(uint64_t limit, uint64_t hard)
{
    return limit == 0 || limit > hard ? hard : limit;
}

static const char *check_metadata(struct subject *at, const struct push_entry *e)
{
    const struct limits *l = at->v->limits;
    if (e->sm_raw_pairs == 0)
        return NULL;
    if (!l->allow_structured_metadata) {
        complain(at,
                 "stream '%.*s' includes structured metadata, but this feature is disallowed. "
                 "Please see `limits_config.allow_structured_metadata` or contact your Loki "
                 "administrator to enable it",
                 SV_ARG(stream_text(at)));
        return DISCARD_NO_METADATA;
    }
    uint64_t max_bytes = limit_or(l->max_structured_metadata_size_bytes, HARD_METADATA_BYTES);
    if (e->sm_raw_bytes > max_bytes) {
        complain(at,
                 "stream '%.*s' has structured metadata too large: '%u' bytes, limit: '%llu' "
                 "bytes. Please see `limits_config.max_structured_metadata_size` or contact your "
                 "Loki administrator to increase it",
                 SV_ARG(stream_text(at)), e->sm_raw_bytes, (unsigned long long)max_bytes);
        return DISCARD_METADATA_TOO_LARGE;
    }
    int64_t wanted = l->max_structured_metadata_entries_count;
    uint64_t max_pairs = limit_or(wanted > 0 ? (uint64_t)wanted : 0, HARD_METADATA_PAIRS);
    if (e->sm_raw_pairs > max_pairs) {
        complain(at,
                 "stream '%.*s' has too many structured metadata labels: '%u', limit: '%llu'. "
                 "Please see `limits_config.max_structured_metadata_entries_count` or contact "
                 "your Loki administrator to increase it",
                 SV_ARG(stream_text(at)), e->sm_raw_pairs, (unsigned long long)max_pairs);
        return DISCARD_METADATA_TOO_MANY;
    }
    return NULL;
}

static const char *check_line(struct subject *at, const struct push_entry *e, uint64_t max_bytes)
{
    if (e->e.line.len <= max_bytes)
        return NULL;
    complain(at,
             "max entry size '%llu' bytes exceeded for stream '%.*s' while adding an entry with "
             "length '%zu' bytes",
             (unsigned long long)max_bytes, SV_ARG(stream_text(at)), e->e.line.len);
    return DISCARD_LINE_TOO_LONG;
}

/* Refusals of one reason in a row, counted together. */
struct refusals {
    const char *why;
    uint64_t n_entries, bytes;
};

static void refuse(struct subject *at, struct refusals *so_far, const char *why, uint64_t bytes)
{
    if (so_far->why && so_far->why != why) {
        discard_count(so_far->why, at->v->tenant, at->v->limits, so_far->n_entries, so_far->bytes);
        *so_far = (struct refusals){0};
    }
    so_far->why = why;
    so_far->n_entries += why != NULL;
    so_far->bytes += bytes;
}

static void check_entries(struct subject *at, struct push_entry *v, size_t n)
{
    struct refusals refused = {0};
    const struct limits *l = at->v->limits;
    uint64_t max_line_bytes = limit_or(l->max_line_size_bytes, HARD_LINE_BYTES);
    int64_t oldest_ns = PUSH_TS_TOO_OLD, newest_ns;
    if (l->reject_old_samples &&
        __builtin_sub_overflow(at->v->now_ns, l->reject_old_samples_max_age_ns, &oldest_ns))
        oldest_ns = PUSH_TS_TOO_OLD;
    if (__builtin_add_overflow(at->v->now_ns, l->creation_grace_period_ns, &newest_ns))
        newest_ns = PUSH_TS_TOO_NEW;
    for (size_t i = 0; i < n; i++) {
        const char *why = check_time(at, v[i].e.ts_ns, oldest_ns, newest_ns);
        if (!why)
            why = check_line(at, &v[i], max_line_bytes);
        if (!why)
            why = check_metadata(at, &v[i]);
        if (!why)
            why = check_day(at, v[i].e.ts_ns);
        if (!why) {
            at->v->n_accepted++;
            at->v->accepted_bytes += entry_bytes(&v[i]);
            continue;
        }
        v[i].rejected = true;
        refuse(at, &refused, why, entry_bytes(&v[i]));
    }
    refuse(at, &refused, NULL, 0);
}

/* ---- the request ---- */

/* Also counts what came in, refused or not. */
static uint64_t count_stream(struct validation *v, const struct push_stream *s)
{
    uint64_t bytes = 0, n_cut = 0, cut_bytes = 0;
    for (size_t i = 0; i < s->n_entries; i++) {
        const struct push_entry *e = &s->entries[i];
        v->line_bytes += e->e.line.len;
        v->metadata_bytes += e->sm_raw_bytes;
        bytes += entry_bytes(e);
        n_cut += e->truncated;
        cut_bytes += e->truncated ? e->e.line.len : 0;
    }
    v->n_entries += s->n_entries;
    if (n_cut) {
        METRIC_ADD(&mutated_entries, (int64_t)n_cut, SV(DISCARD_LINE_TOO_LONG), v->tenant);
        METRIC_ADD(&mutated_bytes, (int64_t)cut_bytes, SV(DISCARD_LINE_TOO_LONG), v->tenant);
    }
    return bytes;
}

static const char *blocked(struct subject *at)
{
    struct validation *v = at->v;
    char until[CLOCK_TEXT_BYTES];
    if (v->now_ns >= v->limits->block_ingestion_until_ns)
        return NULL;
    if (!v->blocked.p)
        v->blocked = arena_printf(
            at->arena, "ingestion blocked for user '%.*s' until '%s' with status code '%lld'",
            SV_ARG(v->tenant), time_text(v->limits->block_ingestion_until_ns, until),
            (long long)v->limits->block_ingestion_status_code);
    return DISCARD_BLOCKED;
}

void validate_push(struct validation *v, struct arena *a, struct push_stream *streams,
                   size_t n_streams)
{
    v->complaints = (struct complaints){.arena = a};
    v->blocked = (struct str_view){NULL, 0};
    v->n_days = 0;
    for (size_t i = 0; i < n_streams; i++) {
        struct push_stream *s = &streams[i];
        struct subject at = {v, s, a, {NULL, 0}};
        uint64_t bytes = count_stream(v, s);
        if (s->n_entries == 0) { /* names a stream, but brings nothing into it */
            s->rejected = true;
            continue;
        }
        const char *why = check_labels(&at);
        if (!why)
            why = check_enforced(&at);
        if (!why)
            why = blocked(&at);
        if (why) {
            s->rejected = true;
            discard_count(why, v->tenant, v->limits, s->n_entries, bytes);
            continue;
        }
        check_entries(&at, s->entries, s->n_entries);
    }
}
