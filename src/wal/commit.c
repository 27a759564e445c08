/* SPDX-License-Identifier: Apache-2.0 */
/* The commit thread takes all groups that wait, writes each, syncs and answers.  After a
 * failed write or sync the log is broken: everything that waits fails, until wal_repair() goes on
 * in a new file. */
#include <errno.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/metrics.h"
#include "wal/impl.h"

COUNTER(records_total, "loki_ingester_wal_records_logged_total", "Records appended to the WAL");
COUNTER(bytes_total, "loki_ingester_wal_logged_bytes_total", "Bytes written to the WAL");
COUNTER(syncs_total, "halogi_ingester_wal_syncs_total", "Group commits of the WAL");
COUNTER(disk_full_total, "loki_ingester_wal_disk_full_failures_total",
        "Group commits that failed because the disk was full");

enum { MAX_IOV = 512 };

/* ---- the file ---- */

/* Whoever is answered after this may rely on it; so may the witness, which then knows that the file
 * is in use (first group) or, at no cost, how far it goes. */
static int sync_file(struct wal *w, struct err *err)
{
    if (!w->dirty)
        return 0;
    int r = file_fdatasync(w->fd, err);
    uint64_t end = w->file_end < WAL_MAX_END ? w->file_end : WAL_MAX_END;
    uint64_t synced_lsn = wal_lsn(w->file_epoch, end);
    if (r == 0)
        r = witness_write(&w->witness, synced_lsn,
                          w->file_witnessed ? WITNESS_SOON : WITNESS_DURABLE, err);
    if (r < 0)
        return r;
    w->dirty = false;
    w->file_witnessed = true;
    w->last_sync_ns = clock_mono_ns();
    w->synced_lsn = synced_lsn;
    metric_add(&syncs_total, 1);
    return 0;
}

static void end_file(struct wal *w)
{
    if (w->fd < 0)
        return;
    file_close(w->fd);
    w->fd = -1;
    uint64_t end = w->file_end < WAL_MAX_END ? w->file_end : WAL_MAX_END;
    w->prev_end_lsn = wal_lsn(w->file_epoch, end);
    MUTEX_GUARD(&w->files_mu);
    wal_files_ended(&w->files, w->file_number, w->file_end);
}

static int next_file(struct wal *w, uint64_t epoch, struct err *err)
{
    int r = sync_file(w, err);
    if (r < 0)
        return r;
    end_file(w);
    mutex_lock(&w->files_mu);
    r = wal_files_take(&w->files, epoch, &w->file_number, &w->fd, err);
    mutex_unlock(&w->files_mu);
    if (r < 0)
        return r;
    w->file_epoch = epoch;
    w->file_end = WAL_FILE_HEADER_BYTES;
    w->header_pending = true;
    w->file_witnessed = false;
    return 0;
}

/* ---- one group ---- */

struct write_list {
    struct iovec iov[MAX_IOV];
    int n;
    uint64_t at; /* in the file, of iov[0] */
    uint64_t bytes;
};

static int write_list_flush(struct wal *w, struct write_list *out, struct err *err)
{
    int r = out->n ? file_pwritev_all(w->fd, out->iov, out->n, out->at, err) : 0;
    out->at += out->bytes;
    out->bytes = 0;
    out->n = 0;
    return r;
}

static int write_list_add(struct wal *w, struct write_list *out, const char *p, size_t len,
                          struct err *err)
{
    union {
        const char *from;
        void *iov;
    } base = {p};
    out->iov[out->n++] = (struct iovec){base.iov, len};
    out->bytes += len;
    return out->n == MAX_IOV ? write_list_flush(w, out, err) : 0;
}

static int write_group(struct wal *w, const struct group_draft *g, struct err *err)
{
    static const char zeros[WAL_ALIGN_BYTES];
    char file_header[WAL_FILE_HEADER_BYTES], group_header[WAL_GROUP_HEADER_BYTES];
    struct write_list out = {.at = w->header_pending ? 0 : g->at};
    int r = 0;
    if (w->header_pending) {
        struct wal_file_header h = {.epoch = g->epoch, .prev_end_lsn = w->prev_end_lsn};
        memcpy(h.uuid, w->options.installation.b, WAL_UUID_BYTES);
        wal_put_file_header(file_header, &h);
        r = write_list_add(w, &out, file_header, sizeof file_header, err);
    }
    struct wal_group as_read = {.lsn = wal_lsn(g->epoch, g->at),
                                .synced_lsn = w->synced_lsn,
                                .n_records = g->n_records,
                                .payload = {NULL, g->payload_bytes}};
    wal_put_group_header(group_header, &as_read, group_crc(g));
    if (r == 0)
        r = write_list_add(w, &out, group_header, sizeof group_header, err);
    const char *own = g->bytes.p;
    for (size_t i = 0; i < g->n_extents && r == 0; i++) {
        const struct group_extent *x = &g->extents[i];
        r = write_list_add(w, &out, x->borrowed ? x->borrowed : own, x->len, err);
        own += x->borrowed ? 0 : x->len;
    }
    uint64_t pad = group_bytes(g->payload_bytes) - WAL_GROUP_HEADER_BYTES - g->payload_bytes;
    if (r == 0 && pad)
        r = write_list_add(w, &out, zeros, pad, err);
    return r == 0 ? write_list_flush(w, &out, err) : r;
}

/* Before anybody is answered by it. */
static int keep_policies(struct wal *w, const struct group_draft *g, struct err *err)
{
    int r = 0;
    for (struct reader in = reader_of(buf_view(&g->policies)); r == 0 && !reader_done(&in);) {
        uint32_t len = rd_le32(&in);
        r = witness_add_policy(&w->witness, rd_bytes(&in, len), err);
    }
    return r;
}

static int commit_group(struct wal *w, const struct group_draft *g, struct err *err)
{
    if (g->n_records == 0)
        return 0; /* only waiters: what they wait for went before */
    int r = 0;
    if (w->fd < 0 || w->file_epoch != g->epoch)
        r = next_file(w, g->epoch, err);
    if (r == 0)
        r = keep_policies(w, g, err);
    if (r == 0)
        r = write_group(w, g, err);
    if (r < 0)
        return r;
    w->dirty = true;
    uint64_t end_before = w->file_end;
    w->file_end = g->at + group_bytes(g->payload_bytes);
    if (w->options.sync == WAL_SYNC_FDATASYNC || !w->file_witnessed)
        r = sync_file(w, err);
    if (r < 0) {
        w->file_end = end_before; /* nobody was told of it, and nobody knows what the disk holds */
        return r;
    }
    w->header_pending = false;
    metric_add(&records_total, g->n_records);
    metric_add(&bytes_total, (int64_t)group_bytes(g->payload_bytes));
    return 0;
}

static void break_log(struct wal *w, int code, const struct err *err)
{
    if (code == -ENOSPC || code == -EDQUOT)
        metric_add(&disk_full_total, 1);
    mutex_lock(&w->mu);
    w->broken = true;
    w->why = *err;
    err_context(&w->why, w->why.code, "the WAL takes no writes");
    mutex_unlock(&w->mu);
    w->dirty = false; /* a failed sync is never tried again */
}

/* ---- the thread ---- */

static void answer_group(struct group_draft *g, int code, const struct err *err)
{
    for (size_t i = 0; i < g->n_waiters; i++)
        g->waiters[i].fn(g->waiters[i].ctx, code, err);
}

static void recycle_locked(struct wal *w, struct group_draft *g)
{
    mutex_assert_held(&w->mu);
    enum { KEEP_BYTES = 1 << 20 };
    if (w->spare || g->bytes.cap > KEEP_BYTES)
        group_free(g);
    else
        w->spare = g;
}

static void commit_list(struct wal *w, struct group_draft *g)
{
    struct err err = ERR_INIT;
    bool failed = wal_is_broken(w, &err);
    while (g) {
        struct group_draft *next = g->next;
        if (!failed) {
            int r = commit_group(w, g, &err);
            failed = r < 0;
            if (failed)
                break_log(w, r, &err);
        }
        answer_group(g, failed ? err.code : 0, &err);
        mutex_lock(&w->mu);
        recycle_locked(w, g);
        mutex_unlock(&w->mu);
        g = next;
    }
}

/* The list of groups, or NULL to end; syncs in between where the mode says so. */
static struct group_draft *take_list_locked(struct wal *w)
{
    mutex_assert_held(&w->mu);
    while (!w->first && !w->stop) {
        if (w->options.sync != WAL_SYNC_INTERVAL || !w->dirty || w->broken) {
            cond_wait(&w->work, &w->mu);
            continue;
        }
        int64_t left = w->last_sync_ns + w->options.sync_interval_ns - clock_mono_ns();
        if (left <= 0 || !cond_wait_for(&w->work, &w->mu, left))
            return NULL;
    }
    wal_close_last_locked(w);
    struct group_draft *g = w->first;
    w->first = w->last = NULL;
    return g;
}

static void sync_if_due(struct wal *w)
{
    struct err err = ERR_INIT;
    if (w->options.sync != WAL_SYNC_INTERVAL || !w->dirty ||
        clock_mono_ns() < w->last_sync_ns + w->options.sync_interval_ns)
        return;
    int r = sync_file(w, &err);
    if (r < 0)
        break_log(w, r, &err);
}

void wal_commit_thread(void *ctx)
{
    struct wal *w = ctx;
    mutex_lock(&w->mu);
    for (;;) {
        struct group_draft *list = take_list_locked(w);
        if (!list && w->stop)
            break;
        w->committing = true;
        mutex_unlock(&w->mu);
        commit_list(w, list);
        sync_if_due(w);
        mutex_lock(&w->mu);
        w->committing = false;
        if (!w->first)
            cond_broadcast(&w->idle);
    }
    mutex_unlock(&w->mu);
}

/* ---- its end, and repair ---- */

void wal_commit_end(struct wal *w)
{
    struct err err = ERR_INIT;
    if (w->fd >= 0 && sync_file(w, &err) < 0)
        break_log(w, err.code, &err);
    file_close(w->fd);
}

int wal_repair(struct wal *w, struct err *err)
{
    mutex_lock(&w->mu);
    bool broken = w->broken;
    while (broken && (w->committing || w->first)) /* it fails them all, and never waits for us */
        cond_wait(&w->idle, &w->mu);
    mutex_unlock(&w->mu);
    if (!broken)
        return 0;
    end_file(w);
    int r = next_file(w, w->epoch + 1, err);
    if (r < 0)
        return r;
    w->synced_lsn = wal_lsn(w->file_epoch, 0);
    mutex_lock(&w->mu);
    w->epoch = w->file_epoch;
    w->at = WAL_FILE_HEADER_BYTES;
    w->n_policies = 0;
    w->broken = false;
    mutex_unlock(&w->mu);
    return 0;
}
