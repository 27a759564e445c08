/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the parts bottom-up, wires them, and stops them in reverse. */
#include "ingester/ingester.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/wait_once.h"
#include "ingester/conf.h"
#include "ingester/cover.h"
#include "ingester/flusher.h"
#include "ingester/heads.h"
#include "ingester/ingest.h"
#include "ingester/phase.h"
#include "ingester/recent.h"
#include "ingester/recovery.h"
#include "ingester/spiller.h"
#include "ingester/watch.h"
#include "store/catalog.h"
#include "store/index_keeper.h"
#include "store/publish.h"
#include "store/view.h"

struct ingester {
    struct ingester_conf conf; /* fixed at init */
    struct ingester_deps deps; /* fixed at init */
    struct buf wal_folder;     /* fixed at init, NUL-ended, as the next */
    struct buf witness_folder; /* of the log */

    /* Each has its own lock, and may call those above it. */
    struct phase phase;
    struct publisher publisher;
    struct cover cover;
    struct heads heads;
    struct ingest ingest;
    struct spiller spiller;
    struct flusher flusher;
    struct index_keeper index_keeper;
    struct watch watch;
    struct thread recovery;
};

static _Atomic(struct ingester *) metered; /* the ingester whose log /metrics shows */

static int64_t read_wal_bytes(void)
{
    struct ingester *in = atomic_load(&metered);
    struct wal *wal = in ? heads_log(&in->heads) : NULL;
    return wal ? (int64_t)wal_bytes_in_use(wal) : 0;
}
GAUGE_READ(wal_bytes, "loki_ingester_wal_bytes_in_use", "Bytes of WAL files in use",
           read_wal_bytes);

/* ---- building ---- */

static void init_parts(struct ingester *in)
{
    const struct ingester_deps *d = &in->deps;
    const struct publisher_deps publisher = {.stores = d->stores,
                                             .catalog = d->catalog,
                                             .index = d->index,
                                             .segments = d->segments,
                                             .views = d->views,
                                             .ledger = d->ledger};
    bool absolute = in->conf.wal_dir[0] == '/';
    buf_printf(&in->wal_folder, "%s%s%s", absolute ? "" : d->data_dir, absolute ? "" : "/",
               in->conf.wal_dir);
    buf_put_u8(&in->wal_folder, 0);
    buf_printf(&in->witness_folder, "%s/wal.witness", d->data_dir);
    buf_put_u8(&in->witness_folder, 0);
    phase_init(&in->phase);
    publisher_init(&in->publisher, &publisher);
    cover_init(&in->cover, catalog_installation(d->catalog).uuid);
    /* What others have is taken off when it claims: see cover.h. */
    heads_init(&in->heads, in->conf.head_max_bytes, 0, d->ledger, d->views);
    in->ingest = (struct ingest){
        .conf = &in->conf, .data_dir = d->data_dir, .heads = &in->heads, .phase = &in->phase};
}

static int start_threads(struct ingester *in, struct err *err)
{
    const struct spill_tools tools = {.publisher = &in->publisher,
                                      .streams = in->heads.streams,
                                      .cover = &in->cover,
                                      .period_ns = in->deps.period_ns};
    const struct watch_deps watch = {.conf = &in->conf,
                                     .data_dir = in->deps.data_dir,
                                     .wal_folder = in->wal_folder.p,
                                     .heads = &in->heads,
                                     .ingest = &in->ingest};
    const struct recovery_deps recovery = {.conf = &in->conf,
                                           .wal_folder = in->wal_folder.p,
                                           .witness_folder = in->witness_folder.p,
                                           .cover = &in->cover,
                                           .heads = &in->heads,
                                           .phase = &in->phase,
                                           .publisher = &in->publisher,
                                           .index_keeper = &in->index_keeper,
                                           .flusher = &in->flusher};
    int r = spiller_start(&in->spiller, &in->heads, &in->ingest, &tools, err);
    if (r == 0)
        r = flusher_start(&in->flusher, &in->conf, &in->heads, &in->publisher, err);
    if (r == 0)
        r = index_keeper_start(&in->index_keeper, in->deps.index, in->deps.views, &in->deps.stores,
                               err);
    if (r == 0)
        r = watch_start(&in->watch, &watch, err);
    if (r == 0)
        r = recovery_start(&in->recovery, &recovery, err);
    return r;
}

int ingester_open(struct ingester **ret, const struct ingester_conf *conf,
                  const struct ingester_deps *deps, struct err *err)
{
    int r = ingester_conf_check(conf, err);
    if (r < 0)
        return r;
    struct ingester *in = mem_zalloc(1, sizeof *in);
    in->conf = *conf;
    in->deps = *deps;
    init_parts(in);
    r = start_threads(in, err);
    if (r < 0) {
        ingester_close(in);
        return err_context(err, r, "ingester");
    }
    atomic_store(&metered, in);
    *ret = in;
    return 0;
}

/* ---- stopping ---- */

static void flush_everything(struct ingester *in)
{
    struct wait_once wait;
    struct err err = ERR_INIT;
    LOG_INFO("writing everything to objects (ingester.wal.flush_on_shutdown)");
    wait_once_init(&wait);
    flusher_request(&in->flusher, wait_once_done, &wait);
    if (wait_once_end(&wait, &err) < 0)
        LOG_ERROR("not everything is in objects; it is in the WAL and in local segments",
                  log_str("err", err.text));
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
    bool was_ready = phase_stop(&in->phase);
    heads_wake(&in->heads); /* the replay may wait for room */
    thread_join(&in->recovery);
    if (was_ready && in->conf.flush_on_shutdown)
        flush_everything(in);
    watch_stop(&in->watch);
    index_keeper_stop(&in->index_keeper);
    flusher_stop(&in->flusher);
    spiller_stop(&in->spiller);
    ingest_refuse_waiting(&in->ingest, ERR_UNAVAILABLE, "the server is stopping");
    wal_close(in->heads.wal);
    empty_views(in);
    heads_deinit(&in->heads);
    cover_deinit(&in->cover);
    publisher_deinit(&in->publisher);
    phase_deinit(&in->phase);
    buf_deinit(&in->wal_folder);
    buf_deinit(&in->witness_folder);
    free(in);
}

/* ---- for others ---- */

bool ingester_ready(struct ingester *in, struct buf *why)
{
    if (!phase_describe(&in->phase, why))
        return false;
    if (why)
        cover_describe(&in->cover, why);
    return true;
}

int ingester_wait_ready(struct ingester *in, int64_t timeout_ns, struct err *err)
{
    int r = phase_wait(&in->phase, timeout_ns, err);
    return r > 0 ? INGESTER_STILL_RECOVERING : r;
}

static void op_push(void *self, struct push_batch *batch, push_done_fn *done, void *ctx)
{
    struct ingester *in = self;
    ingest_push(&in->ingest, batch, done, ctx);
}

static void op_flush(void *self, void (*done)(void *ctx, int result, const struct err *err),
                     void *ctx)
{
    struct ingester *in = self;
    struct err err = ERR_INIT;
    if (phase_is_ready(&in->phase))
        flusher_request(&in->flusher, done, ctx);
    else
        done(ctx, err_set(&err, ERR_UNAVAILABLE, "the ingester is starting or stopping"), &err);
}

struct peer ingester_peer(struct ingester *in)
{
    static const struct peer_ops ops = {op_push, op_flush};
    return (struct peer){&ops, in};
}

static int op_recent_open(void *self, struct str_view tenant, const struct matcher *matchers,
                          size_t n_matchers, struct arena *arena, struct recent *ret,
                          struct err *err)
{
    struct ingester *in = self;
    return recent_open(&in->heads, &in->phase, tenant, matchers, n_matchers, arena, ret, err);
}

struct recent_source ingester_recent(struct ingester *in)
{
    return (struct recent_source){op_recent_open, in};
}
