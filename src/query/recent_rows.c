/* SPDX-License-Identifier: Apache-2.0 */
#include "query/recent_rows.h"

#include <xxhash.h>

#include "chunk/collapse.h"
#include "chunk/head.h"
#include "logql/parse.h"
#include "query/rows/pipeline.h"
#include "store/view.h"
#include "wire/frames.h"

enum { CHECK_EVERY = 1024, STREAMS_PER_FRAME = 256 };

/* Frames on their way. */
struct sending {
    peer_take_fn *take;
    void *ctx;
    struct buf out;
    bool take_failed;
    struct frame_end sums;
};

static int flush(struct sending *to, size_t from_bytes, struct err *err)
{
    if (to->out.len == 0 || to->out.len < from_bytes)
        return 0;
    int r = to->take(to->ctx, buf_view(&to->out), err);
    buf_clear(&to->out);
    to->take_failed = r < 0;
    return r;
}

/* Says how it ended, and returns that. */
static int finish(struct sending *to, int result, struct err *err)
{
    int r = 0;
    if (!to->take_failed) {
        to->sums.result = result;
        to->sums.text = result < 0 && err ? sv_of(err->text) : SV_EMPTY;
        frame_put_end(&to->out, &to->sums);
        r = flush(to, 0, result < 0 ? NULL : err);
    }
    buf_deinit(&to->out);
    return result < 0 ? result : r;
}

/* ---- the entries of a stream ---- */

struct recent_entries {
    struct query_control *control;
    struct entry *v; /* views into the heads */
    size_t n, cap;
};

static void recent_entries_deinit(struct recent_entries *g)
{
    query_release(g->control, g->cap * sizeof *g->v);
    free(g->v);
}

static int add_head(struct recent_entries *g, const struct generation *head, uint64_t visible,
                    uint32_t idx, struct time_span within, struct err *err)
{
    struct head_iter it;
    struct entry e;
    size_t from = g->n;
    head_iter_init(&it, head->head, idx, visible);
    while (head_iter_next(&it, &e, NULL)) {
        if (!span_holds(within, e.ts_ns))
            continue;
        int r = query_grow(g->control, &g->v, &g->cap, g->n + 1, sizeof *g->v, err);
        if (r == 0 && g->n % CHECK_EVERY == 0)
            r = query_check(g->control, err);
        if (r < 0)
            return r;
        g->v[g->n++] = e;
    }
    for (size_t a = from, b = g->n; a + 1 < b; a++, b--) { /* newest came first */
        e = g->v[a];
        g->v[a] = g->v[b - 1];
        g->v[b - 1] = e;
    }
    return 0;
}

/* In (time, arrival) order, each once. */
static int find_entries(struct recent_entries *g, const struct selection *s, uint32_t idx,
                        struct time_span within, struct err *err)
{
    const struct view *view = s->recent.view;
    g->n = 0;
    for (size_t h = 0; h < view->n_heads; h++) {
        int r = add_head(g, view->heads[h], view->visible[h], idx, within, err);
        if (r < 0)
            return r;
    }
    g->n = g->n ? entries_sort_collapse(g->v, g->n) : 0;
    return 0;
}

/* ---- streams ---- */

static void put_hash(uint8_t to[FRAME_HASH_BYTES], struct str_view labels)
{
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(labels.p, labels.len));
    memcpy(to, hash.digest, FRAME_HASH_BYTES);
}

static int send_streams(struct sending *to, const struct selection *s, struct recent_entries *g,
                        struct err *err)
{
    struct frame_stream found[STREAMS_PER_FRAME];
    size_t n = 0, bytes = 0;
    for (uint32_t i = 0; i < s->recent.n_streams; i++) {
        const struct recent_stream *stream = &s->recent.streams[i];
        int r = find_entries(g, s, stream->idx, s->within, err);
        if (r < 0)
            return r;
        if (g->n) {
            found[n] = (struct frame_stream){.number = i,
                                             .labels = stream->labels,
                                             .min_ts_ns = g->v[0].ts_ns,
                                             .max_ts_ns = g->v[g->n - 1].ts_ns,
                                             .n_rows = g->n};
            put_hash(found[n++].hash, stream->labels);
            bytes += stream->labels.len;
        }
        bool is_last = i + 1 == s->recent.n_streams;
        if (n && (n == STREAMS_PER_FRAME || bytes >= FRAME_GOAL_BYTES || is_last)) {
            frame_put_streams(&to->out, found, n);
            to->sums.n_streams += n;
            n = bytes = 0;
            r = flush(to, FRAME_GOAL_BYTES, err);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int recent_streams(const struct selection *s, peer_take_fn *take, void *ctx, struct err *err)
{
    struct sending to = {.take = take, .ctx = ctx, .out = BUF_INIT};
    CLEANUP(recent_entries_deinit) struct recent_entries g = {.control = s->env->control};
    return finish(&to, send_streams(&to, s, &g, err), err);
}

/* ---- rows ---- */

/* The stages that rows must pass; pipeline NULL: all do. */
struct passing {
    struct arena arena; /* of the tree */
    uint64_t charged_bytes;
    struct query_control *control;
    struct pipeline *pipeline;
    struct pipeline_runner runner;
};

static int passing_init(struct passing *p, struct str_view query, struct err *err)
{
    const struct logql_expr *expr;
    if (query.len == 0)
        return 0;
    int r = logql_parse(&p->arena, query, &expr, err);
    if (r == 0 && expr->kind != LOGQL_LOG)
        r = err_set(err, ERR_INVALID, "rows can only pass a log query");
    if (r == 0)
        r = query_charge_arena(p->control, &p->arena, &p->charged_bytes, err);
    if (r == 0)
        r = pipeline_new(&p->pipeline, &expr->log, NULL, NULL, p->control, err);
    if (r == 0)
        pipeline_runner_init(&p->runner, p->pipeline);
    return r;
}

static void passing_deinit(struct passing *p)
{
    if (p->pipeline)
        pipeline_runner_deinit(&p->runner);
    pipeline_free(p->pipeline);
    query_release(p->control, p->charged_bytes);
    arena_deinit(&p->arena);
}

static bool row_passes(struct passing *p, const struct entry *e)
{
    size_t n;
    const struct line_test *tests = pipeline_line_tests(p->pipeline, &n);
    for (size_t i = 0; i < n; i++)
        if (!line_test_passes(&tests[i], p->runner.scratch, e->line))
            return false;
    return pipeline_runner_row(&p->runner, e->ts_ns, e->line, e->sm);
}

/* Leaves those that pass, of the stream with these labels. */
static int keep_passing(struct passing *p, struct str_view encoded, struct recent_entries *g,
                        struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct labels labels;
    size_t n = 0;
    if (!p->pipeline)
        return 0;
    int r = labels_decode(&a, encoded, &labels, err);
    if (r < 0)
        return r;
    pipeline_runner_stream(&p->runner, labels);
    for (size_t i = 0; i < g->n && r == 0; i++) {
        if (row_passes(p, &g->v[i]))
            g->v[n++] = g->v[i];
        if (i % CHECK_EVERY == 0)
            r = query_check(g->control, err);
    }
    g->n = n;
    /* What a search or a stage that was cut short said of a row is not to be trusted. */
    if (r == 0)
        r = query_check(g->control, err);
    return r < 0 ? r : pipeline_runner_check(&p->runner, err);
}

static int send_entries(struct sending *to, uint32_t number, const struct recent_entries *g,
                        struct err *err)
{
    int r = 0;
    for (size_t from = 0, end; from < g->n && r == 0; from = end) {
        size_t bytes = 0;
        for (end = from; end < g->n && (end == from || bytes < FRAME_GOAL_BYTES); end++)
            bytes += g->v[end].line.len + g->v[end].sm.len;
        frame_put_rows(&to->out, number, g->v + from, end - from);
        r = flush(to, FRAME_GOAL_BYTES, err);
    }
    to->sums.n_streams += g->n > 0;
    to->sums.n_rows += g->n;
    return r;
}

static int send_rows(struct sending *to, const struct selection *s, const struct peer_rows *q,
                     struct passing *p, struct recent_entries *g, struct err *err)
{
    struct time_span within = {q->min_ts_ns, q->max_ts_ns};
    if (within.min_ns < s->within.min_ns || within.max_ns > s->within.max_ns)
        return err_set(err, ERR_INVALID, "times outside of those that were opened");
    for (size_t i = 0; i < q->n_streams; i++) {
        uint32_t number = q->streams[i];
        if (number >= s->recent.n_streams)
            return err_set(err, ERR_INVALID, "there is no stream %u", number);
        const struct recent_stream *stream = &s->recent.streams[number];
        int r = find_entries(g, s, stream->idx, within, err);
        if (r == 0)
            r = keep_passing(p, stream->labels, g, err);
        if (r == 0)
            r = send_entries(to, number, g, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int recent_rows(const struct selection *s, const struct peer_rows *q, peer_take_fn *take, void *ctx,
                struct err *err)
{
    struct sending to = {.take = take, .ctx = ctx, .out = BUF_INIT};
    CLEANUP(recent_entries_deinit) struct recent_entries g = {.control = s->env->control};
    CLEANUP(passing_deinit) struct passing p = {.control = s->env->control};
    int r = passing_init(&p, q->query, err);
    if (r == 0)
        r = send_rows(&to, s, q, &p, &g, err);
    return finish(&to, r, err);
}
