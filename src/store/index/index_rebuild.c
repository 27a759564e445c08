/* SPDX-License-Identifier: Apache-2.0 */
/* A bad table is made again while all others answer.  The fresh one grows beside it, segment by
 * segment, and takes its place when it has them all.  What may come in between:
 * - A segment is added: its rows go to the fresh table, too (or at first: whoever comes first makes
 *   it).  A writer's step and ours exclude each other.
 * - A segment is added to the table while it was still good, and named by the catalog only after
 * the source was pinned: the fresh table lacks it.  The first query asks for it, and the table is
 * bad again, for a short while.
 * - A segment of the source is replaced: its rows are dead and nobody's, as after a crash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "store/index/index_slots.h"
#include "store/index/segment_rows.h"
#include "store/index/table_verify.h"

bool index_next_bad(struct index *ix, struct index_bad *ret)
{
    MUTEX_GUARD(&ix->mu);
    struct table_slot *s;
    do
        s = slot_next_locked(ix, &ret->period, INT64_MIN, INT64_MAX);
    while (s && s->health == SLOT_GOOD);
    if (!s)
        return false;
    ret->rebuilding = s->health == SLOT_REBUILDING;
    snprintf(ret->why, sizeof ret->why, "%s", s->why);
    return true;
}

/* --- one segment ------------------------------------------------------------------------ */

/* Damage of a directory is no reason to leave the others out. */
static int read_rows(struct segment_rows *rows, const struct segment *segment,
                     const struct period *p, uint32_t *ret_unread, struct err *err)
{
    int r = 0;
    segment_rows_clear(rows);
    for (uint32_t i = 0; i < segment->n_parts && r == 0; i++) {
        const struct segment_part *part = &segment->parts[i];
        if (part->period_start_ns != p->start_ns || part->period_len_ns != p->length_ns)
            continue;
        r = segment_rows_add(rows, segment, i, err);
        if (r == ERR_CORRUPT || r == ERR_UNSUPPORTED || r == -EIO) {
            ++*ret_unread;
            r = 0;
        }
    }
    segment_rows_end(rows);
    return r;
}

static int add_to_fresh(struct index *ix, struct table_slot *s, struct table_addition *a,
                        struct err *err)
{
    MUTEX_GUARD(&ix->write_mu);
    mutex_lock(&ix->mu);
    bool dropped = s->dropped;
    mutex_unlock(&ix->mu);
    if (dropped)
        return err_set(err, ERR_CANCELLED, "the period was dropped");
    int r = slot_add_fresh(ix, s, a, err);
    if (r != ERR_INVALID)
        return r;
    /* The directory decodes and cannot be. */
    *a = (struct table_addition){.segment = a->segment,
                                 .n_unread = a->n_unread + (uint32_t)a->n_parts};
    return slot_add_fresh(ix, s, a, err);
}

static int add_segment(struct index *ix, struct table_slot *s,
                       const struct index_source_segment *from, struct segment_rows *rows,
                       struct err *err)
{
    struct table_addition a = {.segment = from->uuid};
    if (from->segment) {
        int r = read_rows(rows, from->segment, &s->period, &a.n_unread, err);
        if (r < 0 || rows->n + a.n_unread == 0)
            return r;
        a.parts = rows->v;
        a.n_parts = rows->n;
    } else {
        a.n_unread = 1;
    }
    return add_to_fresh(ix, s, &a, err);
}

static int add_all(struct index *ix, struct table_slot *s, const struct index_source *source,
                   struct err *err)
{
    CLEANUP(segment_rows_deinit) struct segment_rows rows = {0};
    for (;;) {
        struct index_source_segment from = {.segment = NULL};
        int r = source->next(source->ctx, &from, err);
        if (r != 0)
            return r < 0 ? r : 0;
        r = add_segment(ix, s, &from, &rows, err);
        if (r < 0)
            return r;
        MUTEX_GUARD(&ix->mu);
        s->n_done++;
    }
}

/* --- taking the place ------------------------------------------------------------------- */

static int verify_fresh(void *ctx, const char *folder, struct err *err)
{
    return table_verify(folder, ctx, err);
}

/* The bad one goes aside, then the fresh one takes its name.  A crash in between leaves no table of
 * that name: it is missing, and made again. */
static int swap_folders(struct index *ix, const struct period *p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, fresh = BUF_INIT;
    slot_path(ix, p, "", &path);
    slot_path(ix, p, ".rebuild", &fresh);
    int r = slot_set_aside(ix, p, ".bad", err);
    if (r == 0)
        r = file_rename(fresh.p, path.p, err);
    return r < 0 ? r : file_fsync_dir(ix->folder, err);
}

static void become_good_locked(struct table_slot *s)
{
    s->health = SLOT_GOOD;
    s->expected_met = false;
    s->unsealed = false;
    free(TAKE(s->why));
    free(TAKE(s->unread));
    s->n_unread = 0;
}

/* With write_mu held: nobody adds to the fresh table meanwhile. */
static int take_place(struct index *ix, struct table_slot *s, struct err *err)
{
    struct period period = s->period;
    struct kv_seen seen;
    int r = slot_fresh(ix, s, err); /* there may have been no segment at all */
    if (r == 0)
        r = kv_seal(s->fresh.kv, verify_fresh, &period, err);
    s->fresh_is_bad |= slot_code_is_bad(r);
    if (r < 0)
        return r;
    kv_look(s->fresh.kv, &seen);
    slot_close_fresh(s);
    mutex_lock(&ix->mu);
    if (s->dropped) {
        r = err_set(err, ERR_CANCELLED, "the period was dropped");
    } else {
        slot_close_locked(ix, s);
        r = swap_folders(ix, &period, err);
    }
    if (r == 0) {
        become_good_locked(s);
        s->seen = seen;
    }
    mutex_unlock(&ix->mu);
    if (r == 0)
        slot_remove(ix, &period, ".bad", NULL); /* or the next start does */
    return r;
}

static int end_rebuild(struct index *ix, struct table_slot *s, int r, struct err *err)
{
    MUTEX_GUARD(&ix->write_mu);
    if (r == 0)
        r = take_place(ix, s, err);
    mutex_lock(&ix->mu);
    if (s->health == SLOT_REBUILDING)
        s->health = SLOT_BAD;
    bool dropped = s->dropped;
    mutex_unlock(&ix->mu);
    if (s->fresh_is_bad && !dropped) { /* the next one begins anew */
        slot_close_fresh(s);
        slot_remove(ix, &s->period, ".rebuild", NULL);
        s->fresh_is_bad = false;
    }
    mutex_lock(&ix->mu);
    slot_release_locked(ix, s);
    mutex_unlock(&ix->mu);
    return r;
}

int index_rebuild_period(struct index *ix, struct period p, const struct index_source *source,
                         struct err *err)
{
    mutex_lock(&ix->mu);
    struct table_slot *s = slot_find_locked(ix, &p);
    bool mine = s && s->health != SLOT_REBUILDING;
    if (mine) {
        slot_mark_bad_locked(s, "it is made again by request");
        s->health = SLOT_REBUILDING;
        s->n_done = 0;
        s->n_total = source->n_segments;
        slot_hold_locked(s);
    }
    mutex_unlock(&ix->mu);
    if (!mine)
        return err_set(err, ERR_CANCELLED, "there is no such period, or somebody is at it");
    int r = add_all(ix, s, source, err);
    r = end_rebuild(ix, s, r, err);
    CLEANUP(buf_deinit) struct buf day = BUF_INIT;
    period_print(&p, &day);
    return r < 0 ? err_context(err, r, "rebuild of the index of %.*s", SV_ARG(buf_view(&day))) : 0;
}
