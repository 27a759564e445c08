/* SPDX-License-Identifier: Apache-2.0 */
/* The texts are those that clients know. */
#include "ingester/checks.h"

#include "base/clock.h"
#include "chunk/head.h"
#include "ingester/heads.h"
#include "ingester/ingester.h"
#include "ingester/streams/streams.h"
#include "model/limits.h"
#include "store/view.h"

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
struct entry_refusals {
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

static void note_refused(struct entry_refusals *r, const struct push_batch *batch,
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

static void finish_refused(struct entry_refusals *r, struct push_batch *batch,
                           struct push_stream *stream)
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
static bool newest_entry_locked(const struct heads *h, uint32_t idx, struct entry *ret)
{
    mutex_assert_held(&h->mu);
    struct head_mark m = heads_mark_locked(h);
    struct head_iter it;
    uint64_t position;
    head_iter_init(&it, m.head, idx, m.end);
    return head_iter_next(&it, ret, &position);
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->ts_ns == b->ts_ns && sv_eq(a->line, b->line) && sv_eq(a->sm, b->sm);
}

/* As far as one stream's entries are judged. */
struct judgement {
    struct heads *h;
    struct live_stream *st;
    struct push_batch *batch;
    struct push_stream *stream;
    int64_t window_ns, max_ts_ns; /* how far behind the newest one an entry may be, and that one */
    struct entry newest;
    bool has_newest;
    bool all_allowed; /* the common case asks the bucket once */
    int64_t now_mono_ns;
};

static enum refusal judge_entry(const struct judgement *j, const struct entry *e)
{
    const struct limits *l = j->batch->limits;
    if (!j->all_allowed &&
        !stream_rate_allows(j->h->streams, j->st, e->line.len, l->per_stream_rate_limit_bytes,
                            l->per_stream_rate_limit_burst_bytes, j->now_mono_ns))
        return RATE_LIMITED;
    bool behind = j->max_ts_ns != INT64_MIN && j->max_ts_ns > INT64_MIN + j->window_ns &&
                  e->ts_ns < j->max_ts_ns - j->window_ns;
    return behind ? TOO_FAR_BEHIND : ACCEPTED;
}

static void judge_entries(struct judgement *j, struct entry_refusals *refused)
{
    for (size_t i = 0; i < j->stream->n_entries; i++) {
        struct push_entry *e = &j->stream->entries[i];
        if (e->rejected)
            continue;
        if (j->has_newest && same_entry(&j->newest, &e->e)) {
            e->rejected = true; /* it is stored already */
            continue;
        }
        enum refusal why = judge_entry(j, &e->e);
        if (why != ACCEPTED) {
            e->rejected = true;
            note_refused(refused, j->batch, j->stream, &e->e, why, j->max_ts_ns - j->window_ns);
            continue;
        }
        j->newest = e->e;
        j->has_newest = true;
        if (e->e.ts_ns > j->max_ts_ns)
            j->max_ts_ns = e->e.ts_ns;
    }
}

static void check_entries_locked(struct heads *h, const struct ingester_conf *conf,
                                 struct push_batch *batch, struct push_stream *stream, uint32_t idx,
                                 int64_t now_mono_ns)
{
    mutex_assert_held(&h->mu);
    const struct limits *l = batch->limits;
    struct entry_refusals refused = {.max_shown = conf->max_returned_stream_errors};
    struct judgement j = {.h = h,
                          .st = streams_get(h->streams, idx),
                          .batch = batch,
                          .stream = stream,
                          .window_ns = conf->max_chunk_age_ns / 2,
                          .now_mono_ns = now_mono_ns};
    j.max_ts_ns = j.st->max_ts_ns;
    j.has_newest = newest_entry_locked(h, idx, &j.newest);
    j.all_allowed = stream_rate_allows(h->streams, j.st, accepted_line_bytes(stream),
                                       l->per_stream_rate_limit_bytes,
                                       l->per_stream_rate_limit_burst_bytes, now_mono_ns);
    judge_entries(&j, &refused);
    finish_refused(&refused, batch, stream);
}

uint32_t check_stream_locked(struct heads *h, const struct ingester_conf *conf,
                             struct push_batch *batch, struct push_stream *stream,
                             int64_t now_mono_ns)
{
    mutex_assert_held(&h->mu);
    struct stream_tenant *t = streams_find_tenant(h->streams, batch->tenant);
    uint32_t idx = t ? streams_find(h->streams, t, stream->labels, stream->hash) : UINT32_MAX;
    if (idx == UINT32_MAX) {
        if ((t ? t->n_streams : 0) >= stream_limit(batch->limits)) {
            refuse_stream(batch, stream);
            return UINT32_MAX;
        }
        idx = streams_add(h->streams, batch->tenant, stream->labels, stream->hash);
    }
    check_entries_locked(h, conf, batch, stream, idx, now_mono_ns);
    return idx;
}
