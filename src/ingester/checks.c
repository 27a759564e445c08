/* SPDX-License-Identifier: Apache-2.0 */
/* What the ingester refuses of a push, with the texts that clients know. */
#include <stdio.h>
#include <time.h>

#include "chunk/head.h"
#include "ingester/state.h"
#include "model/limits.h"

enum refusal { ACCEPTED, TOO_FAR_BEHIND, RATE_LIMITED };

/* "2026-03-01T10:00:00Z": whole seconds. */
static void put_seconds(struct buf *out, int64_t ts_ns)
{
    int64_t s = ts_ns / NS_PER_S - (ts_ns % NS_PER_S < 0);
    clock_rfc3339(s * NS_PER_S, buf_add(out, CLOCK_TEXT_BYTES));
    out->len -= CLOCK_TEXT_BYTES;
    out->len += strlen(out->p + out->len);
}

/* "2026-03-01 10:00:00.5 +0000 UTC", as Go prints a time. */
static void put_go_time(struct buf *out, int64_t ts_ns)
{
    char text[CLOCK_TEXT_BYTES];
    int n = clock_rfc3339(ts_ns, text);
    for (int i = 0; i < n; i++)
        if (text[i] == 'T')
            text[i] = ' ';
    buf_put_bytes(out, text, (size_t)n - 1); /* without the Z */
    buf_put(out, SV(" +0000 UTC"));
}

static uint64_t stream_limit(const struct limits *l)
{
    uint64_t local = l->max_streams_per_user > 0 ? (uint64_t)l->max_streams_per_user : UINT64_MAX;
    uint64_t global =
        l->max_global_streams_per_user > 0 ? (uint64_t)l->max_global_streams_per_user : UINT64_MAX;
    return local < global ? local : global;
}

static void refuse_stream(struct push_batch *batch, struct push_stream *stream)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    buf_put(&text, SV("maximum active stream limit exceeded when trying to create stream "));
    labels_print(&text, stream->set);
    buf_printf(&text,
               ", reduce the number of active streams (fewer labels, fewer label values) or raise "
               "max_global_streams_per_user, user: '%.*s'",
               SV_ARG(batch->tenant));
    stream->rejected = true;
    stream->status = 429;
    stream->text = arena_copy(batch->arena, buf_view(&text));
}

/* What was refused of one stream, for the text and the status. */
struct refused {
    struct buf reasons;
    uint64_t n, n_shown, max_shown;
    bool rate_limited_last;
};

static void put_reason(struct buf *out, const struct push_batch *batch,
                       const struct push_stream *stream, const struct entry *e, enum refusal why,
                       int64_t cutoff_ns)
{
    if (why == TOO_FAR_BEHIND) {
        buf_put(out, SV("entry too far behind, entry timestamp is: "));
        put_seconds(out, e->ts_ns);
        buf_put(out, SV(", oldest acceptable timestamp is: "));
        put_seconds(out, cutoff_ns);
        return;
    }
    buf_put(out, SV("Per stream rate limit exceeded (limit: "));
    conf_put_size(out, batch->limits->per_stream_rate_limit_bytes);
    buf_put(out, SV("/sec) while attempting to ingest for stream '"));
    labels_print(out, stream->set);
    buf_put(out, SV("' totaling "));
    conf_put_size(out, e->line.len);
    buf_put(out, SV(", split the stream by more labels or raise per_stream_rate_limit"));
}

static void note_refused(struct refused *r, const struct push_batch *batch,
                         const struct push_stream *stream, const struct entry *e, enum refusal why,
                         int64_t cutoff_ns)
{
    r->n++;
    r->rate_limited_last = why == RATE_LIMITED;
    if (r->max_shown && r->n_shown >= r->max_shown)
        return;
    r->n_shown++;
    buf_put(&r->reasons, SV("entry with timestamp "));
    put_go_time(&r->reasons, e->ts_ns);
    buf_put(&r->reasons, SV(" ignored, reason: '"));
    put_reason(&r->reasons, batch, stream, e, why, cutoff_ns);
    buf_put(&r->reasons, SV("',\n"));
}

static void finish_refused(struct refused *r, struct push_batch *batch, struct push_stream *stream)
{
    if (r->n) {
        buf_printf(&r->reasons, "user '%.*s', total ignored: %llu out of %zu for stream: ",
                   SV_ARG(batch->tenant), (unsigned long long)r->n, stream->n_entries);
        labels_print(&r->reasons, stream->set);
        stream->status = r->rate_limited_last ? 429 : 400;
        stream->text = arena_copy(batch->arena, buf_view(&r->reasons));
    }
    buf_deinit(&r->reasons);
}

static uint64_t accepted_line_bytes(const struct push_stream *stream)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < stream->n_entries; i++)
        if (!stream->entries[i].rejected)
            sum += stream->entries[i].e.line.len;
    return sum;
}

/* The newest entry of the stream in the active generation; false when it has none there. */
static bool newest_entry(const struct ingester *in, uint32_t idx, struct entry *ret)
{
    const struct head *h = in->active.g->head;
    struct head_iter it;
    uint64_t position;
    head_iter_init(&it, h, idx, head_end(h));
    return head_iter_next(&it, ret, &position);
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->ts_ns == b->ts_ns && sv_eq(a->line, b->line) && sv_eq(a->sm, b->sm);
}

static void check_entries(struct ingester *in, struct push_batch *batch, struct push_stream *stream,
                          uint32_t idx, int64_t now_mono_ns)
{
    const struct limits *l = batch->limits;
    struct stream *st = streams_get(in->streams, idx);
    struct refused refused = {.max_shown = in->conf.max_returned_stream_errors};
    int64_t max_ts_ns = st->max_ts_ns, window_ns = in->conf.max_chunk_age_ns / 2;
    struct entry newest = {0};
    bool has_newest = newest_entry(in, idx, &newest);
    /* The common case asks the bucket once. */
    uint64_t rate = l->per_stream_rate_limit_bytes, burst = l->per_stream_rate_limit_burst_bytes;
    bool all_allowed =
        stream_rate_allows(in->streams, st, accepted_line_bytes(stream), rate, burst, now_mono_ns);
    for (size_t i = 0; i < stream->n_entries; i++) {
        struct push_entry *e = &stream->entries[i];
        if (e->rejected)
            continue;
        bool behind = max_ts_ns != INT64_MIN && max_ts_ns > INT64_MIN + window_ns &&
                      e->e.ts_ns < max_ts_ns - window_ns;
        if (has_newest && same_entry(&newest, &e->e)) {
            e->rejected = true; /* it is stored already */
            continue;
        }
        enum refusal why = ACCEPTED;
        if (!all_allowed &&
            !stream_rate_allows(in->streams, st, e->e.line.len, rate, burst, now_mono_ns))
            why = RATE_LIMITED;
        else if (behind)
            why = TOO_FAR_BEHIND;
        if (why != ACCEPTED) {
            e->rejected = true;
            note_refused(&refused, batch, stream, &e->e, why, max_ts_ns - window_ns);
            continue;
        }
        newest = e->e;
        has_newest = true;
        if (e->e.ts_ns > max_ts_ns)
            max_ts_ns = e->e.ts_ns;
    }
    finish_refused(&refused, batch, stream);
}

uint32_t check_stream_locked(struct ingester *in, struct push_batch *batch,
                             struct push_stream *stream, int64_t now_mono_ns)
{
    mutex_assert_held(&in->mu);
    struct stream_tenant *t = streams_find_tenant(in->streams, batch->tenant);
    uint32_t idx = t ? streams_find(in->streams, t, stream->labels, stream->hash) : UINT32_MAX;
    if (idx == UINT32_MAX) {
        if ((t ? t->n_streams : 0) >= stream_limit(batch->limits)) {
            refuse_stream(batch, stream);
            return UINT32_MAX;
        }
        idx = streams_add(in->streams, batch->tenant, stream->labels, stream->hash);
    }
    check_entries(in, batch, stream, idx, now_mono_ns);
    return idx;
}
