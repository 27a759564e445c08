/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/recovery.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ingester/conf.h"
#include "ingester/cover.h"
#include "ingester/flusher.h"
#include "ingester/heads.h"
#include "ingester/ingester.h"
#include "ingester/phase.h"
#include "store/adopt.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "store/index_keeper.h"
#include "store/publish.h"
#include "store/view.h"
#include "wal/record.h"
#include "wal/wal.h"
#include "wire/push.h"

GAUGE(replay_active, "loki_ingester_wal_replay_active", "1 while the WAL is replayed");
GAUGE(replay_seconds, "loki_ingester_wal_replay_duration_seconds", "How long the replay took");
COUNTER(corruptions_total, "loki_ingester_wal_corruptions_total",
        "Places of the WAL that were synced once and cannot be read");
GAUGE(segments_missing, "halogi_segments_missing",
      "Segments that the catalog names and that were not there, or damaged, at the start");

/* A policy that the log has shown so far. */
struct logged_policy {
    uint64_t id;
    struct push_policy policy;
};

struct recovery {
    struct recovery_deps deps;
    struct uuid installation;

    struct arena policies_arena;
    struct logged_policy **policies; /* addresses last */
    size_t n_policies, cap_policies;
    struct arena scratch; /* of one record */
    uint64_t n_batches, n_bad;
};

/* ---- segments ---- */

static void show_segments(struct publisher *p, const struct segment_info *infos, size_t n)
{
    struct live_segment **live = mem_alloc((n + 1) * sizeof(struct live_segment *));
    for (size_t i = 0; i < n; i++)
        live[i] = publish_live(p, &infos[i]);
    struct views_change change = {.add = live, .n_add = n};
    views_apply(p->deps.views, &change);
    for (size_t i = 0; i < n; i++) /* a merge must find nobody else holding its sources */
        live_segment_unref(live[i]);
    free(live);
}

/* The catalog is believed as far as the stores agree. */
static int load_segments(struct recovery *rec, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(adoption_deinit) struct adoption adoption = {0};
    struct publisher *p = rec->deps.publisher;
    struct segment_info *infos = NULL;
    size_t n = 0;
    int r = catalog_load(p->deps.catalog, &arena, &infos, &n, err);
    if (r == 0)
        r = adopt(p, infos, n, &adoption, err);
    if (r == 0 && adoption.n_adopted + adoption.n_replaced)
        r = catalog_load(p->deps.catalog, &arena, &infos, &n, err);
    if (r < 0)
        return r;
    metric_set(&segments_missing, (int64_t)adoption.n_missing);
    for (size_t i = 0; i < n; i++)
        if (!adoption_misses(&adoption, &infos[i])) /* what the log still has of it is replayed */
            cover_add(rec->deps.cover, &infos[i], 1);
    show_segments(p, infos, n);
    for (size_t i = 0; i < n; i++)
        index_expect(p->deps.index, infos[i].periods, infos[i].n_periods);
    index_keeper_begin(rec->deps.index_keeper);
    return 0;
}

/* ---- the log ---- */

static const struct push_policy *find_policy(void *ctx, uint64_t id)
{
    const struct recovery *rec = ctx;
    for (size_t i = 0; i < rec->n_policies; i++)
        if (rec->policies[i]->id == id)
            return &rec->policies[i]->policy;
    return NULL;
}

static int add_policy(struct recovery *rec, struct str_view body, struct err *err)
{
    if (body.len < 8)
        return err_set(err, ERR_CORRUPT, "WAL record: short policy");
    uint64_t id = ld_le64(body.p);
    struct str_view encoded = sv_from(body, 8);
    if (find_policy(rec, id))
        return 0;
    if (id != wal_policy_id(encoded))
        return err_set(err, ERR_CORRUPT, "WAL record: a policy under a wrong number");
    struct logged_policy *p = ARENA_NEW(&rec->policies_arena, struct logged_policy);
    p->id = id;
    int r = push_policy_decode(arena_copy(&rec->policies_arena, encoded), &rec->policies_arena,
                               &p->policy, err);
    if (r < 0)
        return r;
    rec->policies = mem_grow(rec->policies, &rec->cap_policies, rec->n_policies + 1,
                             sizeof(struct logged_policy *));
    rec->policies[rec->n_policies++] = p;
    return 0;
}

/* A log larger than a head is replayed as it was written: with spills in between. */
static int replay_batch(struct recovery *rec, const struct wal_record *record, struct err *err)
{
    struct heads *h = rec->deps.heads;
    struct push_batch batch;
    int r = heads_wait_room(h, record->lsn, &rec->deps.phase->stopping, err);
    if (r < 0)
        return r;
    arena_clear(&rec->scratch);
    r = wal_batch_decode(record, find_policy, rec, &rec->scratch, &batch, err);
    if (r < 0)
        return r;
    MUTEX_GUARD(&h->mu);
    heads_append_locked(h, &batch, clock_mono_ns());
    rec->n_batches++;
    return 0;
}

static void note_hole(void *ctx, struct lsn_span hole)
{
    struct recovery *rec = ctx;
    cover_add_hole(rec->deps.cover, hole);
}

static int replay_record(void *ctx, const struct wal_record *record, struct err *err)
{
    struct recovery *rec = ctx;
    atomic_fetch_add(&rec->deps.phase->replayed_bytes, record->body.len);
    int r = record->type == WAL_RECORD_POLICY ? add_policy(rec, record->body, err)
                                              : replay_batch(rec, record, err);
    if (r != ERR_CORRUPT)
        return r;
    /* Its checksum held, so it is not the disk.  The rest is still worth having, and the record may
     * be of use to another version. */
    rec->n_bad++;
    note_hole(rec, (struct lsn_span){record->lsn,
                                     record->lsn + WAL_RECORD_HEADER_BYTES + record->body.len});
    LOG_ERROR("a WAL record cannot be replayed; what it held is lost", log_uint("lsn", record->lsn),
              log_str("err", err ? err->text : ""));
    return 0;
}

static int open_log(struct recovery *rec, const struct wal_options *options,
                    const struct wal_replayed *replayed, struct err *err)
{
    struct wal *wal = NULL;
    if (!rec->deps.conf->wal_enabled)
        LOG_WARN("ingester.wal.enabled: false is taken as ingester.wal.sync: none");
    int r = wal_open(&wal, options, replayed, err);
    if (r < 0)
        return r;
    cover_recycle(rec->deps.cover, wal);
    heads_take_log(rec->deps.heads, wal);
    return 0;
}

static int replay_log(struct recovery *rec, struct err *err)
{
    const struct ingester_conf *c = rec->deps.conf;
    const struct wal_options options = {.folder = rec->deps.wal_folder,
                                        .witness = rec->deps.witness_folder,
                                        .installation = rec->installation,
                                        .sync = ingester_conf_sync(c),
                                        .sync_interval_ns = c->wal_sync_interval_ns,
                                        .file_bytes = c->wal_file_bytes};
    const struct wal_sink sink = {replay_record, note_hole, rec};
    struct lsn_set covered = cover_copy(rec->deps.cover);
    struct wal_replayed replayed;
    int r = wal_replay(&options, &covered, &sink, &replayed, err);
    lsn_set_deinit(&covered);
    if (r == 0)
        r = open_log(rec, &options, &replayed, err);
    if (r < 0)
        return err_context(err, r, "WAL replay");
    uint64_t n_lost = replayed.n_holes + rec->n_bad;
    metric_add(&corruptions_total, (int64_t)n_lost);
    LOG_INFO("WAL replayed", log_uint("batches", rec->n_batches),
             log_uint("bytes", replayed.n_bytes), log_uint("corrupt", n_lost),
             log_uint("torn_bytes", replayed.torn_bytes));
    return 0;
}

/* ---- the thread ---- */

static void recovery_free(struct recovery *rec)
{
    arena_deinit(&rec->policies_arena);
    arena_deinit(&rec->scratch);
    free(rec->policies);
    free(rec);
}

static int recover(struct recovery *rec, struct err *err)
{
    int64_t began_ns = clock_mono_ns();
    metric_set(&replay_active, 1);
    int r = load_segments(rec, err);
    if (r == 0)
        r = replay_log(rec, err);
    metric_set(&replay_active, 0);
    metric_set(&replay_seconds, (clock_mono_ns() - began_ns) / NS_PER_S);
    return r;
}

static void recovery_run(void *ctx)
{
    struct recovery *rec = ctx;
    struct flusher *flusher = rec->deps.flusher;
    struct err err = ERR_INIT;
    int r = recover(rec, &err);
    enum ingester_phase phase = phase_recovered(rec->deps.phase, r, &err);
    if (phase == PHASE_FAILED)
        LOG_ERROR("recovery failed", log_str("err", err.text));
    else if (phase != PHASE_READY)
        LOG_INFO("recovery ends early: the server is stopping");
    recovery_free(rec);
    if (phase == PHASE_READY)
        flusher_begin(flusher);
}

int recovery_start(struct thread *ret, const struct recovery_deps *deps, struct err *err)
{
    struct recovery *rec = mem_zalloc(1, sizeof *rec);
    rec->deps = *deps;
    rec->installation = catalog_installation(deps->publisher->deps.catalog).uuid;
    int r = thread_start(ret, "recover", recovery_run, rec, err);
    if (r < 0)
        recovery_free(rec);
    return r;
}
