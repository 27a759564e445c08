/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/wait_once.h"
#include "wal/impl.h"

enum {
    FILE_BYTES = 16 << 20,
    GROUP_FULL_BYTES = 4 << 20, /* the next append begins another group */
    POLICY_REPEAT_BYTES = 1 << 20,
};

/* ---- where a record goes ---- */

static struct group_draft *group_new_locked(struct wal *w)
{
    mutex_assert_held(&w->mu);
    struct group_draft *g = w->spare;
    w->spare = NULL;
    if (!g)
        g = mem_zalloc(1, sizeof *g);
    group_clear(g);
    return g;
}

/* Where a new group of that payload goes: behind the last, or in the next file. */
static void place_group_locked(struct wal *w, struct group_draft *g, uint64_t payload_bytes)
{
    mutex_assert_held(&w->mu);
    if (w->at > WAL_FILE_HEADER_BYTES &&
        w->at + group_bytes(payload_bytes) > w->options.file_bytes) {
        w->epoch++;
        w->at = WAL_FILE_HEADER_BYTES;
        w->n_policies = 0;
    }
    g->epoch = w->epoch;
    g->at = w->at;
}

void wal_close_last_locked(struct wal *w)
{
    mutex_assert_held(&w->mu);
    struct group_draft *g = w->last;
    if (!g || g->n_records == 0)
        return;
    w->at = g->at + group_bytes(g->payload_bytes);
    g->closed = true;
}

static bool last_takes_locked(const struct wal *w, uint64_t payload_bytes)
{
    const struct group_draft *g = w->last;
    mutex_assert_held(&w->mu);
    return g && !g->closed && g->payload_bytes < GROUP_FULL_BYTES && g->n_records > 0 &&
           g->at + group_bytes(g->payload_bytes + payload_bytes) <= w->options.file_bytes;
}

static struct group_draft *group_for_locked(struct wal *w, uint64_t payload_bytes)
{
    mutex_assert_held(&w->mu);
    if (last_takes_locked(w, payload_bytes))
        return w->last;
    wal_close_last_locked(w);
    struct group_draft *g = group_new_locked(w);
    place_group_locked(w, g, payload_bytes);
    if (w->last)
        w->last->next = g;
    else
        w->first = g;
    w->last = g;
    return g;
}

/* ---- appending ---- */

static bool policy_known_locked(const struct wal *w, uint64_t id)
{
    mutex_assert_held(&w->mu);
    for (unsigned i = 0; i < w->n_policies && i < WAL_MAX_POLICIES; i++)
        if (w->policies[i].id == id)
            return w->policies[i].lsn + POLICY_REPEAT_BYTES > wal_lsn(w->epoch, w->at);
    return false;
}

/* Keeps the newest of each id; when there are too many the oldest is written once more. */
static void policy_note_locked(struct wal *w, uint64_t id, uint64_t lsn)
{
    mutex_assert_held(&w->mu);
    for (unsigned i = 0; i < w->n_policies && i < WAL_MAX_POLICIES; i++)
        if (w->policies[i].id == id) {
            w->policies[i].lsn = lsn;
            return;
        }
    w->policies[w->n_policies++ % WAL_MAX_POLICIES] = (struct policy_place){id, lsn};
}

int wal_append(struct wal *w, const struct wal_entry *e, uint64_t *ret_lsn, struct err *err)
{
    uint64_t bytes = group_record_bytes(e->prefix.len + e->body.len);
    uint64_t policy_bytes = e->policy.p ? group_record_bytes(8 + e->policy.len) : 0;
    assert(bytes + policy_bytes <= WAL_MAX_GROUP_BYTES);
    MUTEX_GUARD(&w->mu);
    if (w->broken)
        return err_set(err, w->why.code, "%s", w->why.text);
    struct group_draft *g = group_for_locked(w, bytes + policy_bytes);
    if (policy_bytes && !policy_known_locked(w, e->policy_id)) {
        char id[8];
        st_le64(id, e->policy_id);
        CLEANUP(buf_deinit) struct buf both = BUF_INIT;
        buf_put_bytes(&both, id, sizeof id);
        buf_put(&both, e->policy);
        uint64_t at = group_add_record(g, WAL_RECORD_POLICY, buf_view(&both), SV_EMPTY);
        policy_note_locked(w, e->policy_id, at);
        buf_put_le32(&g->policies, (uint32_t)e->policy.len);
        buf_put(&g->policies, e->policy);
    }
    uint64_t lsn = group_add_record(g, e->type, e->prefix, e->body);
    group_add_waiter(g, e->waiter);
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
        group_add_waiter(w->last, waiter);
        mutex_unlock(&w->mu);
        return;
    }
    mutex_unlock(&w->mu);
    waiter.fn(waiter.ctx, broken ? why.code : 0, &why);
}

uint64_t wal_cut(struct wal *w)
{
    MUTEX_GUARD(&w->mu);
    wal_close_last_locked(w);
    return wal_lsn(w->epoch, w->at < WAL_MAX_END ? w->at : WAL_MAX_END);
}

/* ---- life ---- */

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
    w->witness = WITNESS_INIT;
    w->epoch = replayed->next_epoch;
    w->at = WAL_FILE_HEADER_BYTES;
    w->prev_end_lsn = replayed->end_lsn;
    w->synced_lsn = wal_lsn(w->epoch, 0); /* whatever was kept is on disk */
    w->last_sync_ns = clock_mono_ns();
    int r = wal_files_open(&w->files, options->folder, w->options.file_bytes, err);
    w->options.folder = w->files.folder;
    if (r == 0)
        r = witness_open(&w->witness, options->witness, options->installation, err);
    if (r == 0)
        r = thread_start(&w->thread, "wal", wal_commit_thread, w, err);
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
    wal_commit_end(w);
    witness_close(&w->witness);
    group_free(w->spare);
    wal_files_deinit(&w->files);
    cond_deinit(&w->idle);
    cond_deinit(&w->work);
    mutex_deinit(&w->files_mu);
    mutex_deinit(&w->mu);
    free(w);
}

int wal_flush(struct wal *w, struct err *err)
{
    struct wait_once wait;
    wait_once_init(&wait);
    wal_join(w, (struct wal_waiter){wait_once_done, &wait});
    return wait_once_end(&wait, err);
}

bool wal_is_broken(struct wal *w, struct err *err)
{
    MUTEX_GUARD(&w->mu);
    if (w->broken && err)
        *err = w->why;
    return w->broken;
}

void wal_covered(struct wal *w, const struct lsn_set *covered)
{
    MUTEX_GUARD(&w->files_mu);
    wal_files_covered(&w->files, covered);
}

uint64_t wal_bytes_in_use(struct wal *w)
{
    MUTEX_GUARD(&w->files_mu);
    return wal_files_bytes_in_use(&w->files);
}
