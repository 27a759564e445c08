/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/answer.h"

#include "base/clock.h"
#include "base/num.h"

static void put_list(struct buf *out, const struct str_view *v, size_t n)
{
    buf_put_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_put_string(out, v[i]);
    }
    buf_put_u8(out, ']');
}

/* ---- query and query_range ---- */

void answer_begin(struct answer *w, struct buf *out, const struct answer_options *opt)
{
    static const char *const kinds[] = {"streams", "matrix", "vector", "scalar"};
    *w = (struct answer){.kind = opt->kind, .categorize = opt->categorize, .legacy = opt->legacy};
    if (opt->legacy) {
        buf_put(out, SV("{\"streams\":["));
        return;
    }
    buf_put(out, SV("{\"status\":\"success\""));
    if (opt->n_warnings > 0) {
        buf_put(out, SV(",\"warnings\":"));
        put_list(out, opt->warnings, opt->n_warnings);
    }
    buf_put(out, SV(",\"data\":{\"resultType\":\""));
    buf_put(out, sv_of(kinds[opt->kind]));
    buf_put_u8(out, '"');
    if (opt->kind == ANSWER_STREAMS && opt->n_encoding_flags > 0) {
        buf_put(out, SV(",\"encodingFlags\":"));
        put_list(out, opt->encoding_flags, opt->n_encoding_flags);
    }
    buf_put(out, SV(",\"result\":"));
    if (opt->kind != ANSWER_SCALAR)
        buf_put_u8(out, '[');
}

static void separate(struct buf *out, bool *any)
{
    if (*any)
        buf_put_u8(out, ',');
    *any = true;
}

/* The label set as one JSON string, {app="pay"}. */
static void put_labels_text(struct buf *out, struct labels l)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    labels_print(&text, l);
    json_put_string(out, buf_view(&text));
}

void answer_series_begin(struct answer *w, struct buf *out, struct labels l)
{
    separate(out, &w->any_series);
    w->any_item = false;
    if (w->legacy) {
        buf_put(out, SV("{\"labels\":"));
        put_labels_text(out, l);
        buf_put(out, SV(",\"entries\":["));
        return;
    }
    buf_put(out, w->kind == ANSWER_STREAMS ? SV("{\"stream\":") : SV("{\"metric\":"));
    json_put_labels(out, l);
    buf_put(out, SV(",\"values\":["));
}

void answer_series_end(struct answer *w, struct buf *out)
{
    buf_put(out, SV("]}"));
}

static void put_legacy_entry(struct buf *out, int64_t ts_ns, struct str_view line)
{
    char ts[CLOCK_TEXT_BYTES];
    int n = clock_rfc3339(ts_ns, ts);
    buf_put(out, SV("{\"ts\":\""));
    buf_put_bytes(out, ts, (size_t)n);
    buf_put(out, SV("\",\"line\":"));
    json_put_string(out, line);
    buf_put_u8(out, '}');
}

static void put_categories(struct buf *out, struct labels sm, struct labels parsed)
{
    buf_put(out, SV(",{"));
    if (sm.n > 0) {
        buf_put(out, SV("\"structuredMetadata\":"));
        json_put_labels(out, sm);
    }
    if (parsed.n > 0) {
        buf_put(out, sm.n > 0 ? SV(",\"parsed\":") : SV("\"parsed\":"));
        json_put_labels(out, parsed);
    }
    buf_put_u8(out, '}');
}

void answer_entry(struct answer *w, struct buf *out, int64_t ts_ns, struct str_view line,
                  struct labels sm, struct labels parsed)
{
    separate(out, &w->any_item);
    if (w->legacy) {
        put_legacy_entry(out, ts_ns, line);
        return;
    }
    buf_put(out, SV("[\""));
    num_put_i64(out, ts_ns);
    buf_put(out, SV("\","));
    json_put_string(out, line);
    if (w->categorize)
        put_categories(out, sm, parsed);
    buf_put_u8(out, ']');
}

static void put_sample(struct buf *out, int64_t ts_ns, double value)
{
    buf_put_u8(out, '[');
    num_put_seconds(out, ts_ns);
    buf_put(out, SV(",\""));
    num_put_float(out, value);
    buf_put(out, SV("\"]"));
}

void answer_point(struct answer *w, struct buf *out, int64_t ts_ns, double value)
{
    separate(out, &w->any_item);
    put_sample(out, ts_ns, value);
}

void answer_sample(struct answer *w, struct buf *out, struct labels l, int64_t ts_ns, double value)
{
    if (w->kind == ANSWER_SCALAR) {
        put_sample(out, ts_ns, value);
        return;
    }
    separate(out, &w->any_series);
    buf_put(out, SV("{\"metric\":"));
    json_put_labels(out, l);
    buf_put(out, SV(",\"value\":"));
    put_sample(out, ts_ns, value);
    buf_put_u8(out, '}');
}

void answer_end(struct answer *w, struct buf *out, const struct query_stats *stats)
{
    if (w->legacy || w->kind != ANSWER_SCALAR)
        buf_put_u8(out, ']');
    buf_put(out, SV(",\"stats\":"));
    if (stats)
        stats_put_json(out, stats);
    else
        buf_put(out, SV("{}"));
    buf_put(out, w->legacy ? SV("}\n") : SV("}}\n"));
}

/* ---- other endpoints ---- */

void answer_names(struct buf *out, const struct str_view *names, size_t n, bool legacy)
{
    buf_put(out, legacy ? SV("{\"values\":") : SV("{\"status\":\"success\",\"data\":"));
    put_list(out, names, n);
    buf_put(out, SV("}\n"));
}

void answer_list_begin(struct answer_list *w, struct buf *out)
{
    *w = (struct answer_list){false};
    buf_put(out, SV("{\"status\":\"success\",\"data\":["));
}

void answer_list_item(struct answer_list *w, struct buf *out, struct labels l)
{
    separate(out, &w->any);
    json_put_labels(out, l);
}

void answer_list_end(struct answer_list *w, struct buf *out)
{
    buf_put(out, SV("]}\n"));
}
