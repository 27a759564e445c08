/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/ingester.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"
#include "chunk/head.h"
#include "chunk/head_pages.h"
#include "chunk/segment.h"
#include "ingester/recent.h"
#include "ingester/state.h"
#include "store/catalog.h"

enum { MIN_HEAD_BYTES = 2 << 20 }; /* an empty head holds half of it already */

#define ROW(field, key, type, def, help) CONF_ROW(struct ingester_conf, field, key, type, def, help)
const struct conf_row ingester_conf_rows[] = {
    ROW(chunk_idle_period_ns, "chunk_idle_period", CONF_DURATION, "30m",
        "Streams nobody wrote to for this long leave memory"),
    ROW(max_chunk_age_ns, "max_chunk_age", CONF_DURATION, "2h",
        "Entries older than the stream's newest by more than half of this are refused"),
    ROW(flush_check_period_ns, "flush_check_period", CONF_DURATION, "30s",
        "How often idle streams and ages are looked at"),
    ROW(max_returned_stream_errors, "max_returned_stream_errors", CONF_UINT, "10",
        "Reasons named per stream in the answer to a push; 0: all"),
    ROW(head_max_bytes, "head_max_bytes", CONF_SIZE, "64MB",
        "Memory of recent entries that makes a local segment of them; at least 2MB"),
    ROW(head_max_age_ns, "head_max_age", CONF_DURATION, "30m",
        "Age of the oldest entry in memory that makes a local segment of all"),
    ROW(flush_local_bytes, "flush_local_bytes", CONF_SIZE, "32MB",
        "Size of all local segments together that makes objects of them"),
    ROW(flush_local_age_ns, "flush_local_age", CONF_DURATION, "30m",
        "Age of a local segment that makes objects of all"),
    ROW(flush_object_bytes, "flush_object_bytes", CONF_SIZE, "128MB",
        "Size past which an object takes no further tenant"),
    ROW(push_wait_max_bytes, "push_wait_max_bytes", CONF_SIZE, "64MB",
        "Pushes that may wait while a segment is written, decoded size; more get 503"),
    ROW(wal_enabled, "wal.enabled", CONF_BOOL, "true", "false is taken as wal.sync: none"),
    ROW(wal_dir, "wal.dir", CONF_STRING, "wal", "Folder of the log, below common.path_prefix"),
    ROW(wal_sync, "wal.sync", CONF_STRING, "fdatasync",
        "When a push is answered: fdatasync (on stable storage), interval or none (written)"),
    ROW(wal_sync_interval_ns, "wal.sync_interval", CONF_DURATION, "100ms",
        "Time between syncs with wal.sync: interval"),
    ROW(wal_file_bytes, "wal.file_size", CONF_SIZE, "16MB",
        "Size of the log's files, used in turn; 256KB to 16MB"),
    ROW(flush_on_shutdown, "wal.flush_on_shutdown", CONF_BOOL, "false",
        "Write everything to objects before the process ends"),
    ROW(disk_full_threshold, "wal.disk_full_threshold", CONF_FLOAT, "0.9",
        "Used share of the disk from which pushes are answered with 503; 0: off"),
};
const size_t ingester_conf_n_rows = N_ROWS(ingester_conf_rows);

static _Atomic(struct ingester *) metered; /* the ingester whose log /metrics shows */

static int64_t read_wal_bytes(void)
{
    struct ingester *in = atomic_load(&metered);
    if (!in)
        return 0;
    MUTEX_GUARD(&in->mu);
    return in->wal ? (int64_t)wal_bytes_in_use(in->wal) : 0;
}
GAUGE_READ(wal_bytes, "loki_ingester_wal_bytes_in_use", "Bytes of WAL files in use",
           read_wal_bytes);

static int check_conf(const struct ingester_conf *c, struct err *err)
{
    const char *s = c->wal_sync;
    if (strcmp(s, "fdatasync") != 0 && strcmp(s, "interval") != 0 && strcmp(s, "none") != 0)
        return err_set(err, ERR_INVALID,
                       "ingester.wal.sync: '%s' is none of fdatasync, interval, none", s);
    uint64_t file = c->wal_file_bytes;
    if (file != 0 && (file < (256 << 10) || file > (16 << 20)))
        return err_set(err, ERR_INVALID,
                       "ingester.wal.file_size: %llu is not within 256KB and 16MB",
                       (unsigned long long)file);
    if (c->head_max_bytes < MIN_HEAD_BYTES)
        return err_set(err, ERR_INVALID, "ingester.head_max_bytes: %llu is less than 2MB",
                       (unsigned long long)c->head_max_bytes);
    return 0;
}

static int start_threads(struct ingester *in, struct err *err)
{
    int r = thread_start(&in->spill_thread, "spill", spill_thread_run, in, err);
    if (r == 0)
        r = thread_start(&in->flush_thread, "flush", flush_thread_run, in, err);
    if (r == 0)
        r = thread_start(&in->recover_thread, "recover", recover_thread_run, in, err);
    return r;
}

int ingester_open(struct ingester **ret, const struct ingester_conf *conf,
                  const struct ingester_deps *deps, struct err *err)
{
    int r = check_conf(conf, err);
    if (r < 0)
        return r;
    struct ingester *in = mem_zalloc(1, sizeof *in);
    in->conf = *conf;
    in->deps = *deps;
    in->began_wall_ns = clock_wall_ns();
    in->installation = catalog_installation(deps->catalog).uuid;
    bool absolute = conf->wal_dir[0] == '/';
    buf_printf(&in->wal_folder, "%s%s%s", absolute ? "" : deps->data_dir, absolute ? "" : "/",
               conf->wal_dir);
    buf_put_u8(&in->wal_folder, 0);
    mutex_init(&in->mu);
    const struct publisher_deps publisher = {.stores = deps->stores,
                                             .catalog = deps->catalog,
                                             .index = deps->index,
                                             .segments = deps->segments,
                                             .views = deps->views,
                                             .ledger = deps->ledger};
    publisher_init(&in->publisher, &publisher);
    cond_init(&in->changed);
    in->streams = streams_new();
    in->head_pages = head_pages_new(deps->ledger, conf->head_max_bytes);
    in->spill_writer = segment_writer_new();
    mutex_lock(&in->mu);
    ingest_new_head_locked(in, catalog_covered_lsn(deps->catalog));
    mutex_unlock(&in->mu);
    r = start_threads(in, err);
    if (r < 0) {
        ingester_close(in);
        return err_context(err, r, "ingester");
    }
    atomic_store(&metered, in);
    *ret = in;
    return 0;
}

static void stop_thread(struct ingester *in, struct thread *t)
{
    mutex_lock(&in->mu);
    cond_broadcast(&in->changed);
    mutex_unlock(&in->mu);
    thread_join(t);
}

/* Nothing in the views may refer to us any more. */
static void empty_views(struct ingester *in)
{
    struct view *v = view_pin(in->deps.views);
    struct uuid *all = mem_alloc(v->n_segments * sizeof *all);
    for (size_t i = 0; i < v->n_segments; i++)
        all[i] = v->segments[i]->info.uuid;
    struct views_change nothing = {.set_heads = true, .remove = all, .n_remove = v->n_segments};
    view_unpin(v);
    views_apply(in->deps.views, &nothing);
    free(all);
}

void ingester_close(struct ingester *in)
{
    if (!in)
        return;
    struct ingester *self = in;
    atomic_compare_exchange_strong(&metered, &self, NULL);
    mutex_lock(&in->mu);
    bool was_ready = in->state == INGESTER_READY;
    in->state = INGESTER_STOPPING;
    cond_broadcast(&in->changed);
    mutex_unlock(&in->mu);
    thread_join(&in->recover_thread);
    if (was_ready && in->conf.flush_on_shutdown) {
        LOG_INFO("writing everything to objects (ingester.wal.flush_on_shutdown)");
        struct err err = ERR_INIT;
        if (flush_and_wait(in, &err) < 0)
            LOG_ERROR("not everything is in objects; it is in the WAL and in local segments",
                      log_str("err", err.text));
    }
    atomic_store(&in->stop_flush, true);
    stop_thread(in, &in->flush_thread);
    atomic_store(&in->stop_spill, true);
    stop_thread(in, &in->spill_thread);
    ingest_refuse_waiting(in, ERR_UNAVAILABLE, "the server is stopping");
    wal_close(in->wal);
    recover_end(in);
    empty_views(in);
    generation_unref(in->active.g);
    generation_unref(in->spilling.g);
    ledger_release(in->deps.ledger, LEDGER_HEADS, in->streams_charged_bytes);
    streams_free(in->streams);
    segment_writer_free(in->spill_writer);
    head_pages_unref(in->head_pages);
    buf_deinit(&in->wal_folder);
    cond_deinit(&in->changed);
    publisher_deinit(&in->publisher);
    mutex_deinit(&in->mu);
    free(in);
}

/* A full disk or a broken log refuse pushes, but queries are still answered: not here. */
static void describe(const struct ingester *in, struct buf *why)
{
    if (in->state == INGESTER_RECOVERING)
        buf_printf(why, "replaying the WAL: %llu MiB done",
                   (unsigned long long)(in->replayed_bytes >> 20));
    else if (in->state == INGESTER_STOPPING)
        buf_put(why, SV("the server is stopping"));
    else if (in->state == INGESTER_FAILED)
        buf_printf(why, "%s", in->state_err.text);
}

bool ingester_ready(struct ingester *in, struct buf *why)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    MUTEX_GUARD(&in->mu);
    describe(in, &text);
    if (why)
        buf_put(why, buf_view(&text));
    return text.len == 0;
}

int ingester_wait_ready(struct ingester *in, int64_t timeout_ns, struct err *err)
{
    int64_t until_ns = clock_mono_ns() + timeout_ns;
    MUTEX_GUARD(&in->mu);
    while (in->state == INGESTER_RECOVERING) {
        int64_t left_ns = timeout_ns < 0 ? NS_PER_S : until_ns - clock_mono_ns();
        if (left_ns <= 0)
            return INGESTER_STILL_RECOVERING;
        cond_wait_for(&in->changed, &in->mu, left_ns);
    }
    if (in->state == INGESTER_FAILED)
        return err_set(err, in->state_err.code, "%s", in->state_err.text);
    return INGESTER_OK;
}

/* --- cluster/peer.h ---------------------------------------------------------------------- */

static void op_push(void *self, struct push_batch *batch, push_done_fn *done, void *ctx)
{
    ingest_push(self, batch, done, ctx);
}

static void op_flush(void *self, void (*done)(void *ctx, int result, const struct err *err),
                     void *ctx)
{
    flush_request(self, done, ctx);
}

struct peer ingester_peer(struct ingester *in)
{
    static const struct peer_ops ops = {op_push, op_flush};
    return (struct peer){&ops, in};
}

/* --- query/source.h ---------------------------------------------------------------------- */

static int op_recent_open(void *self, struct str_view tenant, const struct matcher *matchers,
                          size_t n_matchers, struct arena *arena, struct recent *ret,
                          struct err *err)
{
    return recent_open(self, tenant, matchers, n_matchers, arena, ret, err);
}

struct recent_source ingester_recent(struct ingester *in)
{
    return (struct recent_source){op_recent_open, in};
}
