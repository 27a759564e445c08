/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/watch.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "ingester/heads.h"
#include "ingester/ingest.h"
#include "ingester/ingester.h"

#define LOOK_NS (NS_PER_S / 4)
#define DISK_NS NS_PER_S

static double used_share(const char *folder)
{
    struct disk_space space;
    if (file_disk_space(folder, &space, NULL) < 0 || space.total_bytes == 0)
        return 0;
    return 1 - (double)space.free_bytes / (double)space.total_bytes;
}

static void check_disk(struct watch *w)
{
    double threshold = w->deps.conf->disk_full_threshold;
    if (threshold <= 0)
        return;
    double data = used_share(w->deps.data_dir), wal = used_share(w->deps.wal_folder);
    double used = data > wal ? data : wal;
    /* A little below the watermark before it opens again, so that it does not flap. */
    w->disk_full = used >= threshold - (w->disk_full ? 0.01 : 0);
    if (ingest_set_disk_full(w->deps.ingest, w->disk_full))
        LOG_WARN(w->disk_full ? "the disk is full, pushes get 503" : "the disk has room again",
                 log_float("used", used), log_float("threshold", threshold));
}

/* False: not now, it is tried again at the next look. */
static bool evict_idle(struct watch *w, int64_t now_ns)
{
    uint64_t n;
    if (!heads_evict_idle(w->deps.heads, now_ns - w->deps.conf->chunk_idle_period_ns, &n))
        return false;
    if (n)
        LOG_DEBUG("idle streams left memory", log_uint("streams", n));
    heads_trim(w->deps.heads);
    return true;
}

static void look(struct watch *w, int64_t now_ns)
{
    const struct ingester_conf *c = w->deps.conf;
    heads_freeze_older(w->deps.heads, c->head_max_age_ns);
    if (now_ns >= w->next_disk_ns) {
        check_disk(w);
        w->next_disk_ns = now_ns + DISK_NS;
    }
    if (now_ns >= w->next_evict_ns && evict_idle(w, now_ns))
        w->next_evict_ns = now_ns + c->flush_check_period_ns;
}

/* False: it ends. */
static bool wait_a_moment(struct watch *w)
{
    MUTEX_GUARD(&w->mu);
    if (!w->stop)
        cond_wait_for(&w->wake, &w->mu, LOOK_NS);
    return !w->stop;
}

static void watch_run(void *ctx)
{
    struct watch *w = ctx;
    do
        look(w, clock_mono_ns());
    while (wait_a_moment(w));
}

int watch_start(struct watch *w, const struct watch_deps *deps, struct err *err)
{
    *w = (struct watch){.deps = *deps};
    mutex_init(&w->mu);
    cond_init(&w->wake);
    return thread_start(&w->thread, "watch", watch_run, w, err);
}

void watch_stop(struct watch *w)
{
    if (!w->deps.heads)
        return;
    mutex_lock(&w->mu);
    w->stop = true;
    cond_signal(&w->wake);
    mutex_unlock(&w->mu);
    thread_join(&w->thread);
    cond_deinit(&w->wake);
    mutex_deinit(&w->mu);
}
