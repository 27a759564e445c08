/* SPDX-License-Identifier: Apache-2.0 */
/* Recent rows read as a peer would send them, and then put together as who asks for them does,
 * are what the engine finds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "lake_fill.h"
#include "logql/parse.h"
#include "query/engine.h"
#include "query/plan/time_span.h"
#include "query/recent_peer.h"
#include "query/rows/pipeline.h"
#include "wire/frames.h"
#include "wire/stats.h"

static unsigned seed_number;

/* ---- who asks ---- */

struct taken_row {
    uint32_t stream, at; /* its number; order of arrival */
    struct entry e;
    struct str_view text; /* of the answer */
};

/* What came, put together again from bytes alone. */
struct taken {
    struct arena arena;
    struct frame_stream *streams;
    size_t n_streams, cap_streams;
    struct taken_row *rows;
    size_t n_rows, cap_rows, n_frames;
    struct frame_end end;
    bool ended;
    size_t fail_at; /* the frame that is not taken; 0: none */
};

static void taken_deinit(struct taken *t)
{
    free(t->streams);
    free(t->rows);
    arena_deinit(&t->arena);
}

static void take_streams(struct taken *t, struct str_view payload)
{
    struct frame_streams s;
    assert_int_equal(frame_read_streams(payload, &t->arena, &s, NULL), 0);
    for (size_t i = 0; i < s.n; i++) {
        t->streams = mem_grow(t->streams, &t->cap_streams, t->n_streams + 1, sizeof *t->streams);
        t->streams[t->n_streams++] = s.v[i];
    }
}

static void take_rows(struct taken *t, struct str_view payload)
{
    struct frame_rows r;
    assert_int_equal(frame_read_rows(payload, &t->arena, &r, NULL), 0);
    for (size_t i = 0; i < r.n; i++) {
        t->rows = mem_grow(t->rows, &t->cap_rows, t->n_rows + 1, sizeof *t->rows);
        t->rows[t->n_rows] =
            (struct taken_row){.stream = r.stream, .at = (uint32_t)t->n_rows, .e = r.v[i]};
        t->n_rows++;
    }
}

static int take(void *ctx, struct str_view frames, struct err *err)
{
    struct taken *t = ctx;
    struct str_view in = arena_copy(&t->arena, frames); /* theirs go */
    struct frame f;
    assert_false(t->ended);
    while (in.len) {
        assert_int_equal(frame_read(&in, &f, NULL), FRAME_OK);
        if (f.kind == FRAME_STREAMS)
            take_streams(t, f.payload);
        else if (f.kind == FRAME_ROWS)
            take_rows(t, f.payload);
        else
            assert_int_equal(frame_read_end(f.payload, &t->end, NULL), 0);
        t->ended |= f.kind == FRAME_END;
        if (++t->n_frames == t->fail_at)
            return err_set(err, ERR_CANCELLED, "enough");
    }
    return 0;
}

static const struct frame_stream *stream_of(const struct taken *t, uint32_t number)
{
    for (size_t i = 0; i < t->n_streams; i++)
        if (t->streams[i].number == number)
            return &t->streams[i];
    fail_msg("rows of stream %u, which was not named", number);
    return NULL;
}

/* ---- a query by both ways ---- */

struct fixture {
    struct lake lake;
    struct recent_peer *peer;
    struct peer_reads reads;
    struct arena arena;
    struct query_control control;
    struct query_stats stats;
    struct query_env env;
};

static void print_row(struct buf *out, int64_t ts_ns, struct labels labels, struct str_view line)
{
    buf_printf(out, "%lld ", (long long)ts_ns);
    labels_print(out, labels);
    buf_put(out, line);
}

/* The stages over rows that came: a row that the peer let pass passes here too. */
static void run_stages(struct taken *t, const struct taken *listed, const struct log_query *log)
{
    struct pipeline *p;
    struct pipeline_runner r;
    assert_int_equal(pipeline_new(&p, log, NULL, NULL, NULL, NULL), 0);
    pipeline_runner_init(&r, p);
    for (size_t i = 0; i < t->n_rows; i++) {
        struct labels labels;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        const struct entry *e = &t->rows[i].e;
        labels_decode(&t->arena, stream_of(listed, t->rows[i].stream)->labels, &labels, NULL);
        pipeline_runner_stream(&r, labels);
        assert_true(pipeline_runner_row(&r, e->ts_ns, e->line, e->sm));
        print_row(&text, e->ts_ns, pipeline_runner_labels(&r), r.line);
        t->rows[i].text = arena_copy(&t->arena, buf_view(&text));
    }
    pipeline_runner_deinit(&r);
    pipeline_free(p);
}

static int by_answer(const void *x, const void *y, void *listed)
{
    const struct taken_row *a = x, *b = y;
    if (a->e.ts_ns != b->e.ts_ns)
        return a->e.ts_ns < b->e.ts_ns ? -1 : 1;
    if (a->stream == b->stream)
        return a->at < b->at ? -1 : 1;
    struct str_view s = stream_of(listed, a->stream)->labels;
    struct str_view t = stream_of(listed, b->stream)->labels;
    uint64_t h = labels_hash_encoded(s), k = labels_hash_encoded(t);
    return h != k ? (h < k ? -1 : 1) : sv_cmp(s, t);
}

static uint64_t open_all(struct fixture *f, const struct matcher *v, size_t n, struct time_span at)
{
    struct peer_opened opened;
    const struct peer_open q = {.tenant = SV("t"),
                                .matchers = v,
                                .n_matchers = n,
                                .min_ts_ns = at.min_ns,
                                .max_ts_ns = at.max_ns};
    assert_int_equal(f->reads.ops->open(f->reads.self, &q, &f->arena, &opened, NULL), 0);
    assert_int_equal(opened.n_slices, 0);
    return opened.pin;
}

static void list_streams(struct fixture *f, uint64_t pin, struct taken *listed)
{
    assert_int_equal(f->reads.ops->streams(f->reads.self, pin, take, listed, NULL), 0);
    assert_true(listed->ended && listed->end.result == 0);
    assert_int_equal(listed->end.n_streams, listed->n_streams);
}

/* All streams that are listed. */
static int run_over(struct fixture *f, uint64_t pin, const char *query, struct time_span at,
                    const struct taken *listed, struct taken *rows, struct err *err)
{
    uint32_t *numbers = ARENA_ARRAY(&f->arena, uint32_t, listed->n_streams);
    for (size_t i = 0; i < listed->n_streams; i++)
        numbers[i] = listed->streams[i].number;
    const struct peer_rows q = {.pin = pin,
                                .min_ts_ns = at.min_ns,
                                .max_ts_ns = at.max_ns,
                                .query = sv_of(query),
                                .streams = numbers,
                                .n_streams = listed->n_streams};
    return f->reads.ops->run(f->reads.self, &q, take, rows, err);
}

static void check_same(const struct taken *got, const struct log_result *want, const char *query)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    for (size_t i = 0; i < got->n_rows && i < want->n_rows; i++) {
        const struct log_row *row = &want->rows[i];
        buf_clear(&text);
        print_row(&text, row->ts_ns, series_set_labels(&want->streams, row->stream), row->line);
        if (!sv_eq(buf_view(&text), got->rows[i].text))
            fail_msg("seed %u: %s, row %zu: got\n%.*s\nwant\n%.*s", seed_number, query, i,
                     SV_ARG(got->rows[i].text), SV_ARG(buf_view(&text)));
    }
    if (got->n_rows != want->n_rows)
        fail_msg("seed %u: %s: got %zu rows, want %zu", seed_number, query, got->n_rows,
                 want->n_rows);
}

static void check_query(struct fixture *f, const char *query, struct time_span at)
{
    CLEANUP(taken_deinit) struct taken listed = {.n_frames = 0};
    CLEANUP(taken_deinit) struct taken got = {.n_frames = 0};
    const struct logql_expr *expr;
    struct log_result want;
    struct err err = ERR_INIT;
    assert_int_equal(logql_parse(&f->arena, sv_of(query), &expr, NULL), 0);
    const struct log_options options = {
        .start_ns = at.min_ns, .end_ns = at.max_ns + 1, .limit = 100000};
    assert_int_equal(engine_log(&f->env, 1, &expr->log, &options, &want, NULL), 0);
    uint64_t pin = open_all(f, expr->log.matchers, expr->log.n_matchers, at);
    list_streams(f, pin, &listed);
    if (run_over(f, pin, query, at, &listed, &got, &err) < 0)
        fail_msg("seed %u: %s: %s", seed_number, query, err.text);
    f->reads.ops->close(f->reads.self, pin);
    assert_true(got.ended && got.end.result == 0 && got.end.n_rows == got.n_rows);
    run_stages(&got, &listed, &expr->log);
    if (got.n_rows)
        qsort_r(got.rows, got.n_rows, sizeof *got.rows, by_answer, &listed);
    check_same(&got, &want, query);
    log_result_deinit(&want);
    arena_deinit(&f->arena);
}

/* ---- tests ---- */

/* Nothing moves to segments: what the engine finds is all recent. */
static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.control = {.deadline_mono_ns = INT64_MAX}};
    lake_open(&f->lake, 1);
    f->env = lake_env(&f->lake, "t", &f->control, &f->stats);
    f->peer = recent_peer_new(&f->lake.source.recent, &f->lake.ledger);
    f->reads = recent_peer_reads(f->peer);
}

static void fixture_close(struct fixture *f)
{
    recent_peer_free(f->peer);
    query_control_deinit(&f->control);
    arena_deinit(&f->arena);
    assert_int_equal(ledger_used(&f->lake.ledger), 0);
    lake_close(&f->lake);
}

static const struct time_span always = {INT64_MIN, INT64_MAX - 1};

static void test_rows_through_the_peer_are_those_of_the_engine(void **state)
{
    static const char *const queries[] = {
        "{app=~\".+\"}",
        "{app=\"web\"} |= \"error\"",
        "{app!=\"db\",app=~\".+\"} | json | status >= 400",
        "{app=~\".+\"} | detected_level=\"error\" | line_format \"{{.app}} {{__line__}}\"",
        "{env=\"prod\"} | logfmt | level=\"error\" or status=\"200\"",
        "{app=~\".+\"} | json | drop level |= \"inner\"",
        "{app=\"none\"}",
    };
    for (seed_number = 1; seed_number <= 20; seed_number++) {
        struct fixture f;
        random_start(UINT64_C(0x9e3779b97f4a7c15) * seed_number);
        fixture_open(&f);
        lake_fill_heads(&f.lake, 20 + random_below(800));
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
            int64_t from = random_below(LAKE_SPAN_S) * NS_PER_S;
            check_query(&f, queries[i], always);
            check_query(&f, queries[i],
                        (struct time_span){from, from + random_below(LAKE_SPAN_S) * NS_PER_S});
        }
        fixture_close(&f);
    }
}

static void push(struct fixture *f, int64_t ts_ns, const char *line)
{
    lake_push(&f->lake, lake_stream(&f->lake, "t", "{a=\"1\"}"), ts_ns, sv_of(line), SV_EMPTY);
}

static void test_a_pin_shows_one_instant_until_it_is_closed(void **state)
{
    struct fixture f;
    CLEANUP(taken_deinit) struct taken listed = {.n_frames = 0};
    CLEANUP(taken_deinit) struct taken got = {.n_frames = 0};
    struct err err = ERR_INIT;
    fixture_open(&f);
    push(&f, 5, "one");
    uint64_t pin = open_all(&f, NULL, 0, always);
    list_streams(&f, pin, &listed);
    push(&f, 6, "two");
    lake_spill(&f.lake, PLACE_LOCAL); /* the head is gone but for the pin */
    assert_int_equal(run_over(&f, pin, "", always, &listed, &got, &err), 0);
    assert_int_equal(got.n_rows, 1);
    assert_true(sv_eq(got.rows[0].e.line, SV("one")));
    f.reads.ops->close(f.reads.self, pin);
    f.reads.ops->close(f.reads.self, pin);
    assert_int_equal(run_over(&f, pin, "", always, &listed, &got, &err), ERR_NOT_FOUND);
    fixture_close(&f);
}

static void test_an_answer_that_is_not_whole_says_so(void **state)
{
    struct fixture f;
    CLEANUP(taken_deinit) struct taken listed = {.n_frames = 0};
    CLEANUP(taken_deinit) struct taken refused = {.n_frames = 0};
    CLEANUP(taken_deinit) struct taken cut = {.fail_at = 1};
    struct err err = ERR_INIT;
    fixture_open(&f);
    push(&f, 5, "one");
    uint64_t pin = open_all(&f, NULL, 0, always);
    list_streams(&f, pin, &listed);
    assert_int_equal(run_over(&f, pin, "rate({a=\"1\"}[1m])", always, &listed, &refused, &err),
                     ERR_INVALID);
    assert_true(refused.ended && refused.end.result == ERR_INVALID);
    assert_true(sv_eq(refused.end.text, sv_of(err.text)));
    assert_int_equal(run_over(&f, pin, "", always, &listed, &cut, &err), ERR_CANCELLED);
    listed.streams[0].number = 1; /* there is one, number 0 */
    CLEANUP(taken_deinit) struct taken unknown = {.n_frames = 0};
    assert_int_equal(run_over(&f, pin, "", always, &listed, &unknown, &err), ERR_INVALID);
    fixture_close(&f); /* with the pin open */
}

static void test_a_pin_keeps_to_its_budget(void **state)
{
    struct fixture f;
    CLEANUP(taken_deinit) struct taken listed = {.n_frames = 0};
    struct peer_opened opened;
    struct err err = ERR_INIT;
    fixture_open(&f);
    for (int i = 0; i < 5000; i++)
        push(&f, i, "line");
    const struct peer_open q = {
        .tenant = SV("t"), .min_ts_ns = 0, .max_ts_ns = 10000, .max_bytes = 100000};
    assert_int_equal(f.reads.ops->open(f.reads.self, &q, &f.arena, &opened, &err), 0);
    assert_int_equal(f.reads.ops->streams(f.reads.self, opened.pin, take, &listed, &err),
                     ERR_OVER_BUDGET);
    assert_true(listed.ended && listed.end.result == ERR_OVER_BUDGET);
    f.reads.ops->close(f.reads.self, opened.pin);
    fixture_close(&f);
}

/* ---- many at once ---- */

struct reader_thread {
    struct fixture *f;
    uint64_t pin;
    const struct taken *listed;
    size_t n_rows;
};

static void read_until_closed(void *ctx)
{
    struct reader_thread *t = ctx;
    int r = 0;
    while (r == 0) {
        CLEANUP(taken_deinit) struct taken got = {.n_frames = 0};
        const struct peer_rows q = {.pin = t->pin,
                                    .min_ts_ns = always.min_ns,
                                    .max_ts_ns = always.max_ns,
                                    .query = SV("{a=\"1\"} |= \"line\""),
                                    .streams = &t->listed->streams[0].number,
                                    .n_streams = 1};
        r = t->f->reads.ops->run(t->f->reads.self, &q, take, &got, NULL);
        t->n_rows += got.n_rows;
        assert_true(r < 0 || got.n_rows == 200);
    }
    assert_int_equal(r, ERR_NOT_FOUND);
}

static void test_a_pin_may_be_closed_while_it_is_read(void **state)
{
    struct fixture f;
    CLEANUP(taken_deinit) struct taken listed = {.n_frames = 0};
    fixture_open(&f);
    for (int i = 0; i < 200; i++)
        push(&f, i, "line");
    uint64_t pin = open_all(&f, NULL, 0, always);
    list_streams(&f, pin, &listed);
    struct reader_thread readers[4];
    struct thread threads[4];
    for (size_t i = 0; i < 4; i++) {
        readers[i] = (struct reader_thread){&f, pin, &listed, 0};
        threads[i] = (struct thread){0};
        assert_int_equal(thread_start(&threads[i], "reader", read_until_closed, &readers[i], NULL),
                         0);
    }
    nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
    f.reads.ops->close(f.reads.self, pin);
    for (size_t i = 0; i < 4; i++)
        thread_join(&threads[i]);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_through_the_peer_are_those_of_the_engine),
        cmocka_unit_test(test_a_pin_shows_one_instant_until_it_is_closed),
        cmocka_unit_test(test_an_answer_that_is_not_whole_says_so),
        cmocka_unit_test(test_a_pin_keeps_to_its_budget),
        cmocka_unit_test(test_a_pin_may_be_closed_while_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
