/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/wal.h"

#include <assert.h>
#include <errno.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "ingester/wal_files.h"

COUNTER(records_total, "loki_ingester_wal_records_logged_total", "Records appended to the WAL");
COUNTER(bytes_total, "loki_ingester_wal_logged_bytes_total", "Bytes written to the WAL");
COUNTER(syncs_total, "halogi_ingester_wal_syncs_total", "Group commits of the WAL");
COUNTER(disk_full_total, "loki_ingester_wal_disk_full_failures_total",
        "Group commits that failed because the disk was full");

enum {
    FILE_BYTES = 16 << 20,
    GROUP_FULL_BYTES = 4 << 20, /* the next append begins another group */
    POLICY_REPEAT_BYTES = 1 << 20,
    MAX_POLICIES = 32,
    MAX_IOV = 512,
};

/* One commit: what waits for the same sync. */
struct group {
    struct group *next;
    uint64_t epoch, at; /* where it goes */
    struct buf bytes;   /* record headers, heads, padding */
    struct piece {
        const char *borrowed; /* NULL: len bytes of `bytes`, in order */
        size_t len;
    } * pieces;
    size_t n_pieces, cap_pieces;
    uint64_t payload_bytes;
    uint32_t n_records;
    void *shown;
    uint64_t pos;
    struct wal_waiter *waiters;
    size_t n_waiters, cap_waiters;
};

struct wal {
    struct wal_options options; /* fixed at init */
    struct mutex mu;
    struct cond work; /* for the commit thread */
    struct cond idle; /* it has nothing in hand */
    struct thread thread;

    /* guarded by mu */
    struct group *first, *last; /* not yet taken by the commit thread */
    struct group *spare;
    bool committing, stop, broken;
    struct err why;     /* of broken */
    uint64_t epoch, at; /* where the group after `last` begins */
    struct policy {
        uint64_t id, lsn;
    } policies[MAX_POLICIES];
    unsigned n_policies;

    struct mutex files_mu;  /* held while a new file is filled; taken alone */
    struct wal_files files; /* guarded by files_mu */

    /* owned by the commit thread; by wal_repair() while the log is broken */
    int fd;
    uint32_t file_number;
    uint64_t file_epoch, file_end; /* bytes that were committed */
    uint64_t synced_lsn, prev_end_lsn;
    bool header_pending, dirty;
    int64_t last_sync_ns;
};

static uint64_t group_bytes(uint64_t payload_bytes)
{
    return wal_align(WAL_GROUP_HEADER_BYTES + payload_bytes, WAL_ALIGN_BYTES);
}

/* --- groups ------------------------------------------------------------------------------ */

static struct group *group_new_locked(struct wal *w)
{
    struct group *g = w->spare;
    w->spare = NULL;
    if (!g)
        g = mem_zalloc(1, sizeof *g);
    g->next = NULL;
    buf_clear(&g->bytes);
    g->n_pieces = g->n_waiters = g->n_records = 0;
    g->payload_bytes = g->pos = 0;
    g->shown = NULL;
    return g;
}

static void group_free(struct group *g)
{
    if (!g)
        return;
    buf_deinit(&g->bytes);
    free(g->pieces);
    free(g->waiters);
    free(g);
}

static void group_recycle_locked(struct wal *w, struct group *g)
{
    enum { KEEP_BYTES = 1 << 20 };
    if (w->spare || g->bytes.cap > KEEP_BYTES)
        group_free(g);
    else
        w->spare = g;
}

static void add_piece(struct group *g, const char *borrowed, size_t len)
{
    struct piece *tail = g->n_pieces ? &g->pieces[g->n_pieces - 1] : NULL;
    g->payload_bytes += len;
    if (len == 0)
        return;
    if (tail && !tail->borrowed && !borrowed) {
        tail->len += len;
        return;
    }
    g->pieces = mem_grow(g->pieces, &g->cap_pieces, g->n_pieces + 1, sizeof *g->pieces);
    g->pieces[g->n_pieces++] = (struct piece){borrowed, len};
}

static void add_copied(struct group *g, const void *p, size_t len)
{
    buf_put_bytes(&g->bytes, p, len);
    add_piece(g, NULL, len);
}

static uint64_t record_bytes(size_t body_bytes)
{
    return WAL_RECORD_HEADER_BYTES + wal_align(body_bytes, WAL_RECORD_ALIGN_BYTES);
}

static uint64_t add_record(struct group *g, enum wal_record_type type, struct str_view head,
                           struct str_view body)
{
    static const char zeros[WAL_RECORD_ALIGN_BYTES];
    char header[WAL_RECORD_HEADER_BYTES];
    uint64_t lsn = wal_lsn(g->epoch, g->at) + WAL_GROUP_HEADER_BYTES + g->payload_bytes;
    size_t len = head.len + body.len;
    wal_put_record_header(header, type, (uint32_t)len);
    add_copied(g, header, sizeof header);
    add_copied(g, head.p, head.len);
    add_piece(g, body.p, body.len);
    add_copied(g, zeros, wal_align(len, WAL_RECORD_ALIGN_BYTES) - len);
    g->n_records++;
    return lsn;
}

static void add_waiter(struct group *g, struct wal_waiter waiter)
{
    if (!waiter.fn)
        return;
    g->waiters = mem_grow(g->waiters, &g->cap_waiters, g->n_waiters + 1, sizeof *g->waiters);
    g->waiters[g->n_waiters++] = waiter;
}

/* --- appending --------------------------------------------------------------------------- */

/* Where a new group of that payload goes: behind the last, or in the next file. */
static void place_group(struct wal *w, struct group *g, uint64_t payload_bytes)
{
    if (w->at > WAL_FILE_HEADER_BYTES &&
        w->at + group_bytes(payload_bytes) > w->options.file_bytes) {
        w->epoch++;
        w->at = WAL_FILE_HEADER_BYTES;
        w->n_policies = 0;
    }
    g->epoch = w->epoch;
    g->at = w->at;
}

/* Nothing more joins it: the next one begins behind its end. */
static void close_last_locked(struct wal *w)
{
    struct group *g = w->last;
    if (g && g->n_records > 0)
        w->at = g->at + group_bytes(g->payload_bytes);
}

static bool last_takes(const struct wal *w, uint64_t payload_bytes, const void *shown)
{
    const struct group *g = w->last;
    if (!g || g->payload_bytes >= GROUP_FULL_BYTES || (g->shown && shown && g->shown != shown))
        return false;
    return g->n_records > 0 &&
           g->at + group_bytes(g->payload_bytes + payload_bytes) <= w->options.file_bytes;
}

static struct group *group_for_locked(struct wal *w, uint64_t payload_bytes, const void *shown)
{
    if (last_takes(w, payload_bytes, shown))
        return w->last;
    close_last_locked(w);
    struct group *g = group_new_locked(w);
    place_group(w, g, payload_bytes);
    if (w->last)
        w->last->next = g;
    else
        w->first = g;
    w->last = g;
    return g;
}

static bool policy_known_locked(const struct wal *w, uint64_t id)
{
    for (unsigned i = 0; i < w->n_policies && i < MAX_POLICIES; i++)
        if (w->policies[i].id == id)
            return w->policies[i].lsn + POLICY_REPEAT_BYTES > wal_lsn(w->epoch, w->at);
    return false;
}

/* Keeps the newest of each id; when there are too many the oldest is written once more. */
static void policy_note_locked(struct wal *w, uint64_t id, uint64_t lsn)
{
    for (unsigned i = 0; i < w->n_policies && i < MAX_POLICIES; i++)
        if (w->policies[i].id == id) {
            w->policies[i].lsn = lsn;
            return;
        }
    w->policies[w->n_policies++ % MAX_POLICIES] = (struct policy){id, lsn};
}

int wal_append(struct wal *w, const struct wal_entry *e, uint64_t *ret_lsn, struct err *err)
{
    uint64_t bytes = record_bytes(e->head.len + e->body.len);
    uint64_t policy_bytes = e->policy.p ? record_bytes(8 + e->policy.len) : 0;
    assert(bytes + policy_bytes <= WAL_MAX_GROUP_BYTES);
    MUTEX_GUARD(&w->mu);
    if (w->broken)
        return err_set(err, w->why.code, "%s", w->why.text);
    struct group *g = group_for_locked(w, bytes + policy_bytes, e->shown);
    if (policy_bytes && !policy_known_locked(w, e->policy_id)) {
        char id[8];
        st_le64(id, e->policy_id);
        CLEANUP(buf_deinit) struct buf both = BUF_INIT;
        buf_put_bytes(&both, id, sizeof id);
        buf_put(&both, e->policy);
        uint64_t at = add_record(g, WAL_RECORD_POLICY, buf_view(&both), SV_EMPTY);
        policy_note_locked(w, e->policy_id, at);
    }
    uint64_t lsn = add_record(g, e->type, e->head, e->body);
    if (e->shown) {
        g->shown = e->shown;
        g->pos = e->pos;
    }
    add_waiter(g, e->waiter);
    if (ret_lsn)
        *ret_lsn = lsn;
    cond_signal(&w->work);
    return 0;
}

void wal_join(struct wal *w, struct wal_waiter waiter)
{
    mutex_lock(&w->mu);
    bool broken = w->broken;
    struct err why = ERR_INIT;
    if (broken)
        why = w->why;
    if (!broken && (w->last || w->committing)) {
        if (!w->last)
            w->first = w->last = group_new_locked(w);
        add_waiter(w->last, waiter);
        mutex_unlock(&w->mu);
        return;
    }
    mutex_unlock(&w->mu);
    waiter.fn(waiter.ctx, broken ? why.code : 0, &why);
}

uint64_t wal_next_lsn(struct wal *w)
{
    MUTEX_GUARD(&w->mu);
    const struct group *g = w->last;
    uint64_t at = g && g->n_records ? g->at + WAL_GROUP_HEADER_BYTES + g->payload_bytes : w->at;
    return wal_lsn(w->epoch, at < WAL_MAX_END ? at : WAL_MAX_END);
}

/* --- the commit thread ------------------------------------------------------------------- */

static int sync_file(struct wal *w, struct err *err)
{
    if (!w->dirty)
        return 0;
    int r = file_fdatasync(w->fd, err);
    if (r < 0)
        return r;
    w->dirty = false;
    w->last_sync_ns = clock_mono_ns();
    uint64_t end = w->file_end < WAL_MAX_END ? w->file_end : WAL_MAX_END;
    w->synced_lsn = wal_lsn(w->file_epoch, end);
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
    return 0;
}

struct gather {
    struct iovec iov[MAX_IOV];
    int n;
    uint64_t at; /* in the file, of iov[0] */
    uint64_t bytes;
};

static int gather_flush(struct wal *w, struct gather *ga, struct err *err)
{
    int r = ga->n ? file_pwritev_all(w->fd, ga->iov, ga->n, ga->at, err) : 0;
    ga->at += ga->bytes;
    ga->bytes = 0;
    ga->n = 0;
    return r;
}

static int gather_add(struct wal *w, struct gather *ga, const char *p, size_t len, struct err *err)
{
    union {
        const char *from;
        void *iov;
    } base = {p};
    ga->iov[ga->n++] = (struct iovec){base.iov, len};
    ga->bytes += len;
    return ga->n == MAX_IOV ? gather_flush(w, ga, err) : 0;
}

static uint32_t group_crc(const struct group *g)
{
    uint32_t crc = 0;
    const char *own = g->bytes.p;
    for (size_t i = 0; i < g->n_pieces; i++) {
        const struct piece *p = &g->pieces[i];
        crc = crc32c_extend(crc, sv(p->borrowed ? p->borrowed : own, p->len));
        own += p->borrowed ? 0 : p->len;
    }
    return crc;
}

static int write_group(struct wal *w, const struct group *g, struct err *err)
{
    static const char zeros[WAL_ALIGN_BYTES];
    char file_header[WAL_FILE_HEADER_BYTES], group_header[WAL_GROUP_HEADER_BYTES];
    struct gather ga = {.at = w->header_pending ? 0 : g->at};
    int r = 0;
    if (w->header_pending) {
        struct wal_file_header h = {.epoch = g->epoch, .prev_end_lsn = w->prev_end_lsn};
        memcpy(h.uuid, w->options.installation.b, WAL_UUID_BYTES);
        wal_put_file_header(file_header, &h);
        r = gather_add(w, &ga, file_header, sizeof file_header, err);
    }
    struct wal_group head = {.lsn = wal_lsn(g->epoch, g->at),
                             .synced_lsn = w->synced_lsn,
                             .n_records = g->n_records,
                             .payload = {NULL, g->payload_bytes}};
    wal_put_group_header(group_header, &head, group_crc(g));
    if (r == 0)
        r = gather_add(w, &ga, group_header, sizeof group_header, err);
    const char *own = g->bytes.p;
    for (size_t i = 0; i < g->n_pieces && r == 0; i++) {
        const struct piece *p = &g->pieces[i];
        r = gather_add(w, &ga, p->borrowed ? p->borrowed : own, p->len, err);
        own += p->borrowed ? 0 : p->len;
    }
    uint64_t pad = group_bytes(g->payload_bytes) - WAL_GROUP_HEADER_BYTES - g->payload_bytes;
    if (r == 0 && pad)
        r = gather_add(w, &ga, zeros, pad, err);
    return r == 0 ? gather_flush(w, &ga, err) : r;
}

static int commit_group(struct wal *w, const struct group *g, struct err *err)
{
    if (g->n_records == 0)
        return 0; /* only waiters: what they wait for went before */
    int r = 0;
    if (w->fd < 0 || w->file_epoch != g->epoch)
        r = next_file(w, g->epoch, err);
    if (r == 0)
        r = write_group(w, g, err);
    if (r < 0)
        return r;
    w->dirty = true;
    uint64_t end_before = w->file_end;
    w->file_end = g->at + group_bytes(g->payload_bytes);
    if (w->options.sync == WAL_SYNC_FDATASYNC)
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

/* Shows and answers; after a failure everything that waits fails. */
static void finish_group(struct wal *w, struct group *g, int code, const struct err *err)
{
    if (code == 0 && g->shown)
        w->options.show(g->shown, g->pos);
    for (size_t i = 0; i < g->n_waiters; i++)
        g->waiters[i].fn(g->waiters[i].ctx, code, err);
}

static void commit_list(struct wal *w, struct group *g)
{
    struct err err = ERR_INIT;
    bool failed = wal_is_broken(w, &err);
    while (g) {
        struct group *next = g->next;
        if (!failed) {
            int r = commit_group(w, g, &err);
            failed = r < 0;
            if (failed)
                break_log(w, r, &err);
        }
        finish_group(w, g, failed ? err.code : 0, &err);
        mutex_lock(&w->mu);
        group_recycle_locked(w, g);
        mutex_unlock(&w->mu);
        g = next;
    }
}

/* The list of groups, or NULL to end; syncs in between where the mode says so. */
static struct group *take_list_locked(struct wal *w)
{
    while (!w->first && !w->stop) {
        if (w->options.sync != WAL_SYNC_INTERVAL || !w->dirty || w->broken) {
            cond_wait(&w->work, &w->mu);
            continue;
        }
        int64_t left = w->last_sync_ns + w->options.sync_interval_ns - clock_mono_ns();
        if (left <= 0 || !cond_wait_for(&w->work, &w->mu, left))
            return NULL;
    }
    close_last_locked(w);
    struct group *g = w->first;
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

static void commit_thread(void *ctx)
{
    struct wal *w = ctx;
    mutex_lock(&w->mu);
    for (;;) {
        struct group *list = take_list_locked(w);
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

/* --- life -------------------------------------------------------------------------------- */

int wal_open(struct wal **ret, const struct wal_options *options,
             const struct wal_replayed *replayed, struct err *err)
{
    struct wal *w = mem_zalloc(1, sizeof *w);
    w->options = *options;
    if (!w->options.file_bytes)
        w->options.file_bytes = FILE_BYTES;
    mutex_init(&w->mu);
    mutex_init(&w->files_mu);
    cond_init(&w->work);
    cond_init(&w->idle);
    w->fd = -1;
    w->epoch = replayed->next_epoch;
    w->at = WAL_FILE_HEADER_BYTES;
    w->prev_end_lsn = replayed->end_lsn;
    w->synced_lsn = wal_lsn(w->epoch, 0); /* whatever was kept is on disk */
    w->last_sync_ns = clock_mono_ns();
    int r = wal_files_open(&w->files, options->folder, w->options.file_bytes, err);
    w->options.folder = w->files.folder;
    if (r == 0)
        r = thread_start(&w->thread, "wal", commit_thread, w, err);
    if (r < 0) {
        wal_close(w);
        return err_context(err, r, "WAL");
    }
    *ret = w;
    return 0;
}

void wal_close(struct wal *w)
{
    if (!w)
        return;
    mutex_lock(&w->mu);
    w->stop = true;
    cond_signal(&w->work);
    mutex_unlock(&w->mu);
    thread_join(&w->thread);
    struct err err = ERR_INIT;
    if (w->fd >= 0 && sync_file(w, &err) < 0)
        break_log(w, err.code, &err);
    file_close(w->fd);
    group_free(w->spare);
    wal_files_deinit(&w->files);
    cond_deinit(&w->idle);
    cond_deinit(&w->work);
    mutex_deinit(&w->files_mu);
    mutex_deinit(&w->mu);
    free(w);
}

struct flush_wait {
    struct mutex mu;
    struct cond done;
    bool ran;
    int result;
    struct err err;
};

static void flush_done(void *ctx, int result, const struct err *err)
{
    struct flush_wait *f = ctx;
    mutex_lock(&f->mu);
    f->ran = true;
    f->result = result;
    if (result < 0)
        f->err = *err;
    cond_signal(&f->done);
    mutex_unlock(&f->mu);
}

int wal_flush(struct wal *w, struct err *err)
{
    struct flush_wait f = {0};
    mutex_init(&f.mu);
    cond_init(&f.done);
    wal_join(w, (struct wal_waiter){flush_done, &f});
    mutex_lock(&f.mu);
    while (!f.ran)
        cond_wait(&f.done, &f.mu);
    mutex_unlock(&f.mu);
    cond_deinit(&f.done);
    mutex_deinit(&f.mu);
    return f.result < 0 ? err_set(err, f.result, "%s", f.err.text) : 0;
}

bool wal_is_broken(struct wal *w, struct err *err)
{
    MUTEX_GUARD(&w->mu);
    if (w->broken && err)
        *err = w->why;
    return w->broken;
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

void wal_covered(struct wal *w, uint64_t lsn)
{
    MUTEX_GUARD(&w->files_mu);
    wal_files_covered(&w->files, lsn);
}

uint64_t wal_bytes_in_use(struct wal *w)
{
    MUTEX_GUARD(&w->files_mu);
    return wal_files_bytes_in_use(&w->files);
}
