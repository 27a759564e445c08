/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks, workers, rounds.
 *
 * Each entry counts once, but it may stand in several places: a retry fell into the next head, or
 * two segments were merged by copying their chunks whole.  Copies are alike to the last byte, so
 * they have one time, and can only stand where strands of a stream overlap.  The plan has cut those
 * times into zones (overlap.c).  What lies outside of zones stands in one strand alone, and a
 * strand holds no repeats: such rows go down the pipeline at once, on whichever worker has them. In
 * a zone each strand leaves its share; who leaves the last one collapses them and takes the result.
 *
 * Reading costs in this order, and nothing is read before something cheaper has been asked: what
 * the index says of a run (its rows, times, line bytes), times, lengths of lines, metadata, lines.
 * A count needs no line where its series follow from stream and metadata alone: a run that lies
 * within the same windows from end to end is counted from the index, others from their times.
 *
 * A zone would spoil that, since only lines tell copies apart.  But lines of different length are
 * different lines: so lengths come first (a share is bare), and in most zones no two strands have
 * an entry of one time and length.  Where some do, the zone is in doubt.  That is known only when
 * its last share has come, and by then the chunks of the others are no longer decoded: the zone
 * waits for a second round, which does the same tasks again where such zones lie, with lines.
 *
 * What must hold:
 * - Every strand arrives at each of its zones once per round and query, whatever was skipped of it:
 *   else the zone never becomes complete.  Only tasks that come too late for a log query are left
 *   out, and their zones with them.
 * - A chunk counts whole or not at all.  Where some of it was given when it turns out to be
 * damaged, all is done again without it; that is rare, columns are checked before their rows are
 * used.
 * - What drops a row before its zone collapses looks at the entry and its stream alone: else one
 *   copy would pass and another not.
 * - Rows may come in any order: leaves add integers or sort their samples, top_rows has a total
 *   order.  So the answer does not depend on workers. */
#include "query/scan/scan.h"

#include "query/scan/crew.h"
#include "query/scan/scan_impl.h"

/* ---- queries ---- */

enum { STEPS_PER_LABEL_TEST = 32 };

/* Ended early it drops too few streams, or some that must not be: the query then ends as well. */
static void drop_streams(struct scanned_query *q, const struct plan *p)
{
    struct regex_scratch *scratch = query_scratch_new(p->env->control);
    q->dropped = mem_zalloc(p->n_streams / 64 + 1, sizeof *q->dropped);
    size_t steps = STEPS_PER_LABEL_TEST * q->n_label_tests;
    for (uint32_t i = 0; steps && i < p->n_streams && !regex_scratch_must_stop(scratch, steps); i++)
        if (!pipeline_may_keep_stream(q->q->pipeline, p->streams[i].labels, scratch))
            q->dropped[i / 64] |= UINT64_C(1) << (i % 64);
    regex_scratch_free(scratch);
}

static void scanned_query_init(struct scanned_query *s, const struct scan_query *q,
                               const struct plan *p)
{
    *s = (struct scanned_query){.q = q};
    s->line_tests = pipeline_line_tests(q->pipeline, &s->n_line_tests);
    s->label_tests = pipeline_first_label_tests(q->pipeline, &s->n_label_tests);
    s->value_needles = pipeline_value_needles(q->pipeline);
    s->metadata = pipeline_metadata(q->pipeline);
    s->is_static = q->leaf && pipeline_is_static(q->pipeline);
    s->bare = s->is_static && s->n_line_tests == 0 && !pipeline_may_fail(q->pipeline);
    s->can_skip = s->value_needles->n > 0;
    for (size_t i = 0; i < s->n_line_tests; i++)
        s->can_skip |= line_test_can_skip(&s->line_tests[i]);
    drop_streams(s, p);
    s->zones = mem_alloc((p->n_zones + 1) * sizeof *s->zones);
    for (size_t z = 0; z < p->n_zones; z++)
        zone_init(&s->zones[z], p->zones[z].n_spans);
}

static void scanned_query_deinit(struct scanned_query *s, const struct plan *p)
{
    for (size_t z = 0; z < p->n_zones; z++)
        zone_share_free(atomic_load(&s->zones[z].shares), p->env->control);
    free(s->zones);
    free(s->dropped);
}

/* ---- workers ---- */

static void query_worker_init(struct query_worker *q, struct scan_worker *w, size_t i)
{
    const struct scanned_query *s = &w->scan->queries[i];
    *q = (struct query_worker){.state = s,
                               .worker = w,
                               .stream = SCAN_NO_STREAM,
                               .cell = {.min_ns = INT64_MAX, .max_ns = INT64_MIN}};
    pipeline_runner_init(&q->runner, s->q->pipeline); /* do_task() asks what its scratch asked */
    row_metadata_init(&q->metadata);
    if (!s->q->leaf)
        return;
    q->leaf = s->q->leaf;
    if (w != &w->scan->workers[0]) {
        range_leaf_init(&q->own, s->q->agg->agg, &s->q->leaf->grid, s->q->leaf->control);
        q->leaf = &q->own;
    }
    uint32_t n = w->scan->plan->n_streams;
    if (s->is_static) {
        q->series_of_stream = mem_alloc(n * sizeof(uint32_t));
        memset(q->series_of_stream, 0xff, n * sizeof(uint32_t)); /* SERIES_UNKNOWN */
    }
}

static void query_worker_deinit(struct query_worker *q)
{
    pipeline_runner_deinit(&q->runner);
    row_metadata_deinit(&q->metadata);
    if (q->leaf == &q->own)
        range_leaf_deinit(&q->own);
    buf_deinit(&q->labels);
    buf_deinit(&q->sm);
    buf_deinit(&q->parsed);
    free(q->series_of_stream);
    free(q->set_series);
}

static void worker_init(struct scan_worker *w, struct scan_job *s)
{
    *w = (struct scan_worker){.scan = s, .rows = ROW_SET_INIT};
    w->tmp[0] = w->tmp[1] = ROW_SET_INIT;
    w->decoder = chunk_decoder_new();
    row_metadata_init(&w->all_metadata);
    w->queries = mem_zalloc(s->n_queries, sizeof *w->queries);
    for (size_t i = 0; i < s->n_queries; i++)
        query_worker_init(&w->queries[i], w, i);
}

static void add_counts(struct scan_worker *w)
{
    const struct chunk_counts *c = chunk_decoder_counts(w->decoder);
    struct stats_store *s = &w->stats.store;
    for (int i = 0; i < CHUNK_N_SECTIONS; i++)
        s->compressed_bytes += (int64_t)c->read_bytes[i];
    s->decompressed_bytes += (int64_t)c->decoded_bytes[CHUNK_LIN];
    s->decompressed_sm_bytes +=
        (int64_t)(c->decoded_bytes[CHUNK_SMH] + c->decoded_bytes[CHUNK_SMD]);
}

static void worker_deinit(struct scan_worker *w)
{
    for (size_t i = 0; i < w->scan->n_queries; i++)
        query_worker_deinit(&w->queries[i]);
    free(w->queries);
    query_release(scan_control(w), w->charged_bytes);
    chunk_decoder_free(w->decoder);
    row_metadata_deinit(&w->all_metadata);
    row_set_deinit(&w->rows);
    row_set_deinit(&w->tmp[0]);
    row_set_deinit(&w->tmp[1]);
    free(w->stretches);
    free(w->entries);
}

/* What a worker holds by now; it never shrinks. */
static int charge_worker(struct scan_worker *w, struct err *err)
{
    uint64_t bytes = chunk_decoder_mem_bytes(w->decoder) + w->cap_entries * sizeof *w->entries +
                     row_metadata_mem_bytes(&w->all_metadata);
    for (size_t i = 0; i < w->scan->n_queries; i++)
        bytes += row_metadata_mem_bytes(&w->queries[i].metadata) +
                 pipeline_runner_mem_bytes(&w->queries[i].runner);
    if (bytes <= w->charged_bytes)
        return 0;
    int r = query_charge(scan_control(w), bytes - w->charged_bytes, err);
    if (r == 0)
        w->charged_bytes = bytes;
    return r;
}

/* ---- tasks ---- */

static void fail(struct scan_job *s, int result, const struct err *err)
{
    mutex_lock(&s->mu);
    if (s->result == 0) {
        s->result = result;
        if (s->err)
            *s->err = *err;
    }
    mutex_unlock(&s->mu);
    atomic_store(&s->plan->env->control->stopped, true);
}

/* Tasks come best first: when one has come too late, so have all that follow.  A zone that then
 * stays incomplete is not missed: each of its strands covers it, so its times are too late as well.
 */
static bool comes_too_late(const struct scan_job *s, const struct plan_task *t)
{
    const struct top_rows *top = s->queries[0].q->top;
    return top && !top_rows_may_keep(top, s->backward ? t->at.max_ns : t->at.min_ns);
}

/* A row may end a query, by its size or while it was in work. */
static int check_runners(const struct scan_worker *w, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < w->scan->n_queries && r == 0; i++)
        r = pipeline_runner_check(&w->queries[i].runner, err);
    return r;
}

static int do_task(struct scan_worker *w, const struct plan_task *t, struct err *err)
{
    int r = query_check(scan_control(w), err);
    if (r == 0)
        r = t->part == PLAN_HEAD_TASK ? scan_head(w, t, err) : scan_chunk(w, t, err);
    if (r == 0)
        r = check_runners(w, err);
    if (r == 0)
        r = query_check(scan_control(w), err);
    if (r == 0)
        r = charge_worker(w, err);
    return r;
}

static int do_tasks(struct scan_worker *w, struct err *err)
{
    struct scan_job *s = w->scan;
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&s->next_task, 1, memory_order_relaxed);
        if (i >= s->plan->n_tasks || comes_too_late(s, &s->plan->tasks[i]))
            return 0;
        if (!scan_wants_task(s, &s->plan->tasks[i]))
            continue;
        int r = do_task(w, &s->plan->tasks[i], err);
        if (r < 0)
            return r;
    }
}

static void work(void *ctx, unsigned number)
{
    struct scan_job *s = ctx;
    struct scan_worker *w = &s->workers[number];
    struct err err = ERR_INIT;
    int r = do_tasks(w, &err);
    for (size_t i = 0; i < s->n_queries && r == 0; i++)
        if (w->queries[i].leaf)
            r = range_leaf_sort(w->queries[i].leaf, &err);
    if (r < 0)
        fail(s, r, &err);
}

/* ---- rounds ---- */

static int run_round(struct scan_job *s)
{
    atomic_store(&s->next_task, 0);
    crew_run(s->plan->env->pool, s->n_workers, work, s);
    return s->result;
}

static int join_leaves(struct scan_job *s, struct err *err)
{
    int r = 0;
    for (unsigned i = 1; i < s->n_workers && r == 0; i++)
        for (size_t k = 0; k < s->n_queries && r == 0; k++)
            if (s->workers[i].queries[k].leaf)
                r = range_leaf_merge(s->queries[k].q->leaf, &s->workers[i].queries[k].own, err);
    return r;
}

static int run_rounds(struct scan_job *s, struct err *err)
{
    int r = run_round(s);
    if (r == 0 && !s->again && scan_next_round(s))
        r = run_round(s);
    if (r == 0 && !s->again)
        r = join_leaves(s, err);
    return r;
}

enum { MAX_WORKERS = 16 };

static unsigned n_workers_for(const struct plan *p)
{
    unsigned n = p->env->pool ? pool_n_threads(p->env->pool) : 1;
    unsigned cpus = thread_n_cpus();
    if (n > cpus)
        n = cpus;
    if (n > MAX_WORKERS)
        n = MAX_WORKERS;
    return p->n_tasks < n ? (p->n_tasks ? (unsigned)p->n_tasks : 1) : n;
}

static uint64_t fixed_bytes(const struct scan_job *s)
{
    const struct plan *p = s->plan;
    uint64_t per_query = p->n_zones * sizeof(struct zone) + p->n_streams / 8 +
                         (uint64_t)s->n_workers * p->n_streams * sizeof(uint32_t);
    return per_query * s->n_queries + p->n_tasks;
}

static void scan_init(struct scan_job *s, const struct scan_query *queries)
{
    mutex_init(&s->mu);
    s->queries = mem_zalloc(s->n_queries, sizeof *s->queries);
    for (size_t i = 0; i < s->n_queries; i++)
        scanned_query_init(&s->queries[i], &queries[i], s->plan);
    s->backward = queries[0].top && queries[0].top->backward;
    s->workers = mem_zalloc(s->n_workers, sizeof *s->workers);
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_init(&s->workers[i], s);
}

static void scan_deinit(struct scan_job *s)
{
    for (unsigned i = 0; i < s->n_workers; i++) {
        add_counts(&s->workers[i]);
        if (!s->again)
            stats_add(s->plan->env->stats, &s->workers[i].stats);
        worker_deinit(&s->workers[i]);
    }
    free(s->workers);
    for (size_t i = 0; i < s->n_queries; i++)
        scanned_query_deinit(&s->queries[i], s->plan);
    free(s->queries);
    mutex_deinit(&s->mu);
}

/* As if nothing had been read. */
static void clear_answer(const struct scan_job *s, const struct scan_query *queries)
{
    for (size_t i = 0; i < s->n_queries; i++) {
        struct top_rows *top = queries[i].top;
        struct range_leaf *leaf = queries[i].leaf;
        struct query_control *control = s->plan->env->control;
        if (top) {
            size_t limit = top->limit;
            bool backward = top->backward;
            top_rows_deinit(top);
            top_rows_init(top, limit, backward, control);
        } else {
            struct eval_grid grid = leaf->grid;
            control = leaf->control;
            range_leaf_deinit(leaf);
            range_leaf_init(leaf, queries[i].agg->agg, &grid, control);
        }
    }
}

int scan_run(const struct plan *plan, const struct scan_query *queries, size_t n_queries,
             struct err *err)
{
    struct scan_job s = {
        .plan = plan, .n_queries = n_queries, .n_workers = n_workers_for(plan), .err = err};
    uint64_t bytes = fixed_bytes(&s);
    int r = query_charge(plan->env->control, bytes, err);
    if (r < 0)
        return r;
    s.left_out = mem_zalloc(plan->n_tasks + 1, sizeof *s.left_out);
    bool again = true;
    while (r == 0 && again) { /* each time without one chunk more at least */
        s.again = false;
        s.is_second_round = false;
        scan_init(&s, queries);
        r = run_rounds(&s, err);
        again = s.again;
        scan_deinit(&s);
        if (again)
            clear_answer(&s, queries);
    }
    free(s.left_out);
    query_release(plan->env->control, bytes);
    return r;
}
