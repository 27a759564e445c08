/* SPDX-License-Identifier: Apache-2.0 */
/* At start: the live segments of the catalog, then the log from where they end into a head, so that
 * everything is as it was before the crash. */
#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"
#include "chunk/head.h"
#include "ingester/state.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "wal/record.h"
#include "wire/push.h"

GAUGE(replay_active, "loki_ingester_wal_replay_active", "1 while the WAL is replayed");
GAUGE(replay_seconds, "loki_ingester_wal_replay_duration_seconds", "How long the replay took");
COUNTER(corruptions_total, "loki_ingester_wal_corruptions_total",
        "Places of the WAL that were synced once and do not check");

/* --- segments ---------------------------------------------------------------------------- */

/* Tables are durable before the catalog names a segment, so none is missing but by another hand. */
static int check_tables(struct ingester *in, const struct segment_info *info, struct err *err)
{
    for (size_t i = 0; i < info->n_periods; i++)
        if (!index_has_table(in->deps.index, info->periods[i]))
            return err_set(err, ERR_CORRUPT,
                           "the index has no table '%lld-%lld', in which the rows of segment "
                           "'%.*s' must be: run `halogi rebuild-index` with the same flags",
                           (long long)info->periods[i].start_ns,
                           (long long)info->periods[i].length_ns, SV_ARG(info->key));
    return 0;
}

static int load_segments(struct ingester *in, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct segment_info *infos = NULL;
    size_t n = 0;
    int r = catalog_load(in->deps.catalog, &arena, &infos, &n, err);
    for (size_t i = 0; i < n && r == 0; i++)
        r = check_tables(in, &infos[i], err);
    if (r < 0)
        return r;
    in->startup = mem_alloc(n * sizeof(struct live_segment *));
    for (; in->n_startup < n; in->n_startup++)
        in->startup[in->n_startup] = publish_live(&in->publisher, &infos[in->n_startup]);
    struct views_change change = {.add = in->startup, .n_add = n};
    views_apply(in->deps.views, &change);
    return strays_list(&in->strays, &in->deps.stores, PLACE_LOCAL, in->startup, n, INT64_MAX, err);
}

void recover_end(struct ingester *in)
{
    for (size_t i = 0; i < in->n_startup; i++)
        live_segment_unref(in->startup[i]);
    free(in->startup);
    in->startup = NULL;
    in->n_startup = 0;
    strays_deinit(&in->strays);
}

/* --- the log ----------------------------------------------------------------------------- */

struct policy {
    uint64_t id;
    struct push_policy policy;
};

struct recovery {
    struct ingester *in;
    struct arena policies_arena;
    struct policy **policies; /* addresses last */
    size_t n_policies, cap_policies;
    struct arena scratch; /* of one record */
    uint64_t n_batches, n_bad;
};

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
    struct policy *p = ARENA_NEW(&rec->policies_arena, struct policy);
    p->id = id;
    int r = push_policy_decode(arena_copy(&rec->policies_arena, encoded), &rec->policies_arena,
                               &p->policy, err);
    if (r < 0)
        return r;
    rec->policies =
        mem_grow(rec->policies, &rec->cap_policies, rec->n_policies + 1, sizeof(struct policy *));
    rec->policies[rec->n_policies++] = p;
    return 0;
}

/* A log larger than a head is replayed as it was written: with spills in between. */
static int wait_for_room(struct ingester *in, uint64_t lsn, struct err *err)
{
    MUTEX_GUARD(&in->mu);
    while (ingest_head_is_full_locked(in) && !ingest_swap_locked(in, lsn)) {
        if (in->state == INGESTER_STOPPING)
            return err_set(err, ERR_CANCELLED, "stopped");
        cond_wait(&in->changed, &in->mu);
    }
    return 0;
}

static int replay_record(void *ctx, const struct wal_record *record, struct err *err)
{
    struct recovery *rec = ctx;
    struct ingester *in = rec->in;
    in->replayed_bytes += record->body.len;
    struct push_batch batch;
    int r;
    if (record->type == WAL_RECORD_POLICY) {
        r = add_policy(rec, record->body, err);
    } else {
        r = wait_for_room(in, record->lsn, err);
        arena_clear(&rec->scratch);
        if (r == 0)
            r = wal_batch_decode(record, find_policy, rec, &rec->scratch, &batch, err);
        if (r == 0) {
            MUTEX_GUARD(&in->mu);
            ingest_append_locked(in, &batch, clock_mono_ns());
            rec->n_batches++;
        }
    }
    if (r != ERR_CORRUPT)
        return r;
    /* Its checksum held, so it is not the disk.  The rest is still worth having. */
    rec->n_bad++;
    LOG_ERROR("a WAL record cannot be replayed; what it held is lost", log_uint("lsn", record->lsn),
              log_str("err", err ? err->text : ""));
    return 0;
}

static enum wal_sync sync_mode(const struct ingester_conf *c)
{
    if (!c->wal_enabled) {
        LOG_WARN("ingester.wal.enabled: false is taken as ingester.wal.sync: none");
        return WAL_SYNC_NONE;
    }
    if (strcmp(c->wal_sync, "interval") == 0)
        return WAL_SYNC_INTERVAL;
    return strcmp(c->wal_sync, "none") == 0 ? WAL_SYNC_NONE : WAL_SYNC_FDATASYNC;
}

static int open_wal(struct ingester *in, const struct wal_replayed *replayed, bool nothing_kept,
                    struct err *err)
{
    struct wal_options options = {.folder = in->wal_folder.p,
                                  .installation = in->installation,
                                  .sync = sync_mode(&in->conf),
                                  .sync_interval_ns = in->conf.wal_sync_interval_ns,
                                  .file_bytes = in->conf.wal_file_bytes};
    struct wal *wal = NULL;
    int r = wal_open(&wal, &options, replayed, err);
    if (r < 0)
        return r;
    uint64_t covered = catalog_covered_lsn(in->deps.catalog);
    wal_covered(wal, nothing_kept ? wal_lsn(replayed->next_epoch, 0) : covered);
    MUTEX_GUARD(&in->mu);
    in->wal = wal;
    if (in->spilling.g) /* the replay filled more than one, and it is not in a segment yet */
        head_publish(in->spilling.g->head, head_end(in->spilling.g->head));
    head_publish(in->active.g->head, head_end(in->active.g->head));
    return 0;
}

static int replay_log(struct ingester *in, struct err *err)
{
    uint64_t from_lsn = catalog_covered_lsn(in->deps.catalog);
    struct recovery rec = {.in = in};
    struct wal_replayed replayed;
    int r = wal_replay(in->wal_folder.p, in->installation, from_lsn, replay_record, &rec, &replayed,
                       err);
    arena_deinit(&rec.policies_arena);
    arena_deinit(&rec.scratch);
    free(rec.policies);
    if (r == 0) {
        bool clean = replayed.n_corrupt + rec.n_bad == 0;
        in->kept_lsn = clean && replayed.end_lsn > from_lsn ? replayed.end_lsn : from_lsn;
        r = open_wal(in, &replayed, rec.n_batches + rec.n_bad == 0, err);
    }
    if (r < 0)
        return err_context(err, r, "WAL replay");
    metric_add(&corruptions_total, (int64_t)(replayed.n_corrupt + rec.n_bad));
    LOG_INFO("WAL replayed", log_uint("batches", rec.n_batches),
             log_uint("bytes", replayed.n_bytes),
             log_uint("corrupt", replayed.n_corrupt + rec.n_bad),
             log_uint("torn_bytes", replayed.torn_bytes));
    return 0;
}

void recover_thread_run(void *ctx)
{
    struct ingester *in = ctx;
    struct err err = ERR_INIT;
    int64_t began_ns = clock_mono_ns();
    metric_set(&replay_active, 1);
    int r = load_segments(in, &err);
    if (r == 0)
        r = replay_log(in, &err);
    metric_set(&replay_active, 0);
    metric_set(&replay_seconds, (clock_mono_ns() - began_ns) / NS_PER_S);
    mutex_lock(&in->mu);
    if (in->state == INGESTER_STOPPING) {
        LOG_INFO("recovery ends early: the server is stopping");
    } else if (r < 0) {
        in->state_err = err;
        in->state = INGESTER_FAILED;
        LOG_ERROR("recovery failed", log_str("err", err.text));
    } else {
        in->state = INGESTER_READY;
    }
    cond_broadcast(&in->changed);
    mutex_unlock(&in->mu);
}
