/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/spiller.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "chunk/segment.h"
#include "ingester/cover.h"
#include "ingester/heads.h"
#include "ingester/ingest.h"
#include "store/publish.h"
#include "wal/wal.h"

COUNTER(spills_total, "halogi_ingester_spills_total", "Heads written to local segments");
COUNTER(spill_failures_total, "loki_ingester_chunks_flush_failures_total",
        "Segments that could not be written");
COUNTER_SCALED(spill_seconds_total, "halogi_ingester_spill_seconds_total",
               "Time spent writing heads to local segments", 1e-9);

/* ---- one spill ---- */

/* The segment and its rows; nobody sees them yet. */
static int prepare(struct spiller *s, const struct frozen_head *from, struct arena *arena,
                   struct segment_info *ret, struct err *err)
{
    struct publisher *p = s->tools.publisher;
    struct segment_draft draft;
    publish_note_streams(p, heads_n_streams(s->heads));
    bool heavy = publish_heavy_begin(p);
    int r = spill_write(&s->tools, &from->span, &s->writer, arena, &draft, err);
    if (r == 0)
        r = publish_prepare(p, &draft, arena, ret, err);
    publish_heavy_end(p, heavy);
    return r;
}

static int spill(struct spiller *s, const struct frozen_head *from, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct segment_info info;
    struct wal *wal = heads_log(s->heads);
    if (wal)
        wal_flush(wal, NULL); /* whoever waits for its entries is shown them before it goes */
    int r = prepare(s, from, &arena, &info, err);
    if (r < 0)
        return r;
    struct generation *next = from->next;
    struct publication what = {.add = &info, .n_add = 1, .heads = &next, .n_heads = 1};
    what.covered_lsn = cover_reach_with(s->tools.cover, &info);
    r = publish_commit(s->tools.publisher, &s->failed, &what, err);
    if (r < 0)
        return r;
    cover_add(s->tools.cover, &info, 1);
    heads_drop_frozen(s->heads);
    wal = heads_log(s->heads);
    if (wal)
        cover_recycle(s->tools.cover, wal);
    LOG_INFO("head written", log_sv("segment", info.key), log_uint("rows", info.n_rows),
             log_uint("line_bytes", info.line_bytes), log_uint("bytes", info.bytes),
             log_uint("parts", info.n_parts));
    return 0;
}

static void try_spill(struct spiller *s, const struct frozen_head *from)
{
    struct err err = ERR_INIT;
    int64_t began_ns = clock_mono_ns();
    if (spill(s, from, &err) == 0) {
        metric_add(&spills_total, 1);
        metric_add(&spill_seconds_total, clock_mono_ns() - began_ns);
        backoff_worked(&s->backoff);
        return;
    }
    metric_add(&spill_failures_total, 1);
    LOG_ERROR("the head could not be written, it stays in memory and in the WAL",
              log_str("err", err.text));
    backoff_failed(&s->backoff, clock_mono_ns());
    heads_spill_failed(s->heads, &err);
    ingest_refuse_waiting(s->ingest, ERR_UNAVAILABLE, err.text);
}

/* ---- the thread ---- */

static void repair_log(struct spiller *s)
{
    struct err err = ERR_INIT;
    bool repaired;
    if (heads_repair_log(s->heads, &repaired, &err) < 0)
        LOG_ERROR("the WAL cannot be written, pushes get 503", log_str("err", err.text));
    else if (repaired)
        LOG_WARN("the WAL goes on in a new file");
    s->next_repair_ns = clock_mono_ns() + NS_PER_S;
}

static void spiller_run(void *ctx)
{
    enum { LOOK_NS = 250000000 };
    struct spiller *s = ctx;
    while (!atomic_load(&s->stop)) {
        struct frozen_head from;
        bool may_try = backoff_is_over(&s->backoff, clock_mono_ns());
        bool spilled = heads_wait_frozen(s->heads, may_try, &s->stop, LOOK_NS, &from);
        if (spilled)
            try_spill(s, &from);
        if (spilled || clock_mono_ns() >= s->next_repair_ns)
            repair_log(s);
        ingest_resume(s->ingest);
    }
}

int spiller_start(struct spiller *s, struct heads *heads, struct ingest *ingest,
                  const struct spill_tools *tools, struct err *err)
{
    *s = (struct spiller){.heads = heads,
                          .ingest = ingest,
                          .tools = *tools,
                          .writer = segment_writer_new(),
                          .backoff = BACKOFF_INIT(NS_PER_S / 4, 10 * NS_PER_S)};
    return thread_start(&s->thread, "spill", spiller_run, s, err);
}

void spiller_stop(struct spiller *s)
{
    atomic_store(&s->stop, true);
    if (s->thread.running)
        heads_wake(s->heads);
    thread_join(&s->thread);
    leftovers_deinit(&s->failed);
    segment_writer_free(s->writer);
}
