/* SPDX-License-Identifier: Apache-2.0 */
/* Rows come and go.  A writer never waits for a bad table to be made again: its rows go to the
 * fresh one, or, where they are to be removed, nowhere. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/index/index_slots.h"
#include "store/index/table_verify.h"

/* An environment keeps the memory of the most pages that one transaction ever changed, some 160
 * bytes a series: after so many it is given back by closing it. */
enum { MANY_NEW_SERIES = 20000 };

/* --- seal ------------------------------------------------------------------------------- */

static int verify_table(void *ctx, const char *folder, struct err *err)
{
    return table_verify(folder, ctx, err);
}

/* With write_mu held.  Whatever fails, the table stays as it is, or turns out to be bad. */
static void seal(struct index *ix, struct table_slot *s)
{
    struct err err = ERR_INIT;
    struct period period = s->period;
    mutex_lock(&ix->mu);
    int r = slot_use_locked(ix, s, NULL);
    mutex_unlock(&ix->mu);
    if (r < 0)
        return;
    r = kv_seal(s->table.kv, verify_table, &period, &err);
    mutex_lock(&ix->mu);
    s->written_ns = clock_mono_ns(); /* not again at once */
    if (slot_code_is_bad(r))
        slot_mark_bad_locked(s, err.text);
    mutex_unlock(&ix->mu);
    slot_end(ix, s);
}

/* The one that nobody wrote to for longest, and not since then; NULL: none.  Held. */
static struct table_slot *to_be_sealed(struct index *ix, int64_t written_before_ns)
{
    MUTEX_GUARD(&ix->mu);
    struct table_slot *oldest = NULL;
    for (size_t i = 0; i < ix->n_slots; i++) {
        struct table_slot *s = ix->slots[i];
        if (s->unsealed && s->health == SLOT_GOOD && s->written_ns <= written_before_ns &&
            (!oldest || s->written_ns < oldest->written_ns))
            oldest = s;
    }
    if (oldest)
        slot_hold_locked(oldest);
    return oldest;
}

static bool seal_one(struct index *ix, int64_t written_before_ns)
{
    struct table_slot *s = to_be_sealed(ix, written_before_ns);
    if (!s)
        return false;
    seal(ix, s);
    MUTEX_GUARD(&ix->mu);
    slot_release_locked(ix, s);
    return true;
}

void index_seal_idle(struct index *ix)
{
    MUTEX_GUARD(&ix->write_mu);
    seal_one(ix, clock_mono_ns() - ix->conf.seal_after_ns);
}

void index_seal_all(struct index *ix)
{
    MUTEX_GUARD(&ix->write_mu);
    int64_t now_ns = clock_mono_ns();
    while (seal_one(ix, now_ns))
        ;
}

/* --- add -------------------------------------------------------------------------------- */

/* A table that could not be made is no table: queries must not fail on it. */
static void forget_absent_locked(struct index *ix, struct table_slot *s)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    slot_path(ix, &s->period, "", &path);
    if (kv_exists(path.p))
        s->exists = true;
    else if (s->health == SLOT_GOOD && !s->dropped)
        slot_drop_locked(ix, s);
}

static int sync_names_locked(struct index *ix, struct err *err)
{
    int r = ix->names_unsynced ? file_fsync_dir(ix->folder, err) : 0;
    if (r == 0)
        ix->names_unsynced = false;
    return r;
}

/* The slot of a period, made where there is none, held; *ret_bad: its table is not in use, because
 * it is bad.  A table's name is durable before a row is written, also where an earlier try made the
 * table and could not sync the name. */
static int use_for_writing(struct index *ix, const struct period *p, struct table_slot **ret,
                           bool *ret_bad, struct err *err)
{
    MUTEX_GUARD(&ix->mu);
    int r = sync_names_locked(ix, err);
    if (r < 0)
        return r;
    struct table_slot *s = slot_add_locked(ix, p);
    slot_hold_locked(s);
    r = slot_use_locked(ix, s, err);
    *ret_bad = s->health != SLOT_GOOD;
    *ret = s;
    if (r == 0 || *ret_bad)
        return 0;
    if (!s->exists) {
        ix->names_unsynced = true;
        forget_absent_locked(ix, s);
    }
    slot_release_locked(ix, s);
    return r;
}

static void end_writing(struct index *ix, struct table_slot *s)
{
    MUTEX_GUARD(&ix->mu);
    slot_release_locked(ix, s);
}

/* To the good table.  KV_NONE: it turned out to be bad. */
static int add_to_table(struct index *ix, struct table_slot *s, struct table_addition *a,
                        struct err *err)
{
    struct err why = ERR_INIT;
    int r = table_add_parts(&s->table, a, &why);
    mutex_lock(&ix->mu);
    s->written_ns = clock_mono_ns();
    s->bloated |= a->n_new >= MANY_NEW_SERIES;
    if (slot_code_is_bad(r))
        slot_mark_bad_locked(s, why.text);
    bool turned = s->health != SLOT_GOOD;
    mutex_unlock(&ix->mu);
    slot_end(ix, s);
    if (turned)
        return KV_NONE;
    return r < 0 ? err_set(err, r, "%s", why.text) : r;
}

int slot_add_fresh(struct index *ix, struct table_slot *s, struct table_addition *a,
                   struct err *err)
{
    int r = slot_fresh(ix, s, err);
    if (r == 0)
        r = table_add_parts(&s->fresh, a, err);
    if (a->n_new >= MANY_NEW_SERIES)
        slot_close_fresh(s);
    if (!slot_code_is_bad(r))
        return r;
    s->fresh_is_bad = true;
    return err_context(err, ERR_UNAVAILABLE, "an index that is being rebuilt");
}

static int add_period(struct index *ix, struct uuid segment, const struct index_part *parts,
                      size_t n, struct err *err)
{
    struct period p = {parts->period_start_ns, parts->period_length_ns};
    struct table_addition a = {.segment = segment, .parts = parts, .n_parts = n};
    if (p.length_ns <= 0)
        return err_set(err, ERR_INVALID, "a period of %lld ns", (long long)p.length_ns);
    struct table_slot *s;
    bool is_bad;
    int r = use_for_writing(ix, &p, &s, &is_bad, err);
    if (r < 0)
        return r;
    r = is_bad ? KV_NONE : add_to_table(ix, s, &a, err);
    if (r == KV_NONE)
        r = slot_add_fresh(ix, s, &a, err);
    end_writing(ix, s);
    return r;
}

int index_add_segment(struct index *ix, struct uuid segment, const struct index_part *parts,
                      size_t n_parts, struct err *err)
{
    MUTEX_GUARD(&ix->write_mu);
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n_parts;) {
        size_t n = 1;
        while (i + n < n_parts && parts[i + n].period_start_ns == parts[i].period_start_ns &&
               parts[i + n].period_length_ns == parts[i].period_length_ns)
            n++;
        r = add_period(ix, segment, parts + i, n, err);
        i += n;
    }
    seal_one(ix, clock_mono_ns() - ix->conf.seal_after_ns);
    return r < 0 ? err_context(err, r, "index rows of a segment") : 0;
}

/* --- remove ----------------------------------------------------------------------------- */

typedef int write_fn(void *ctx, struct table *t, struct err *err);

static int write_one(struct index *ix, struct table_slot *s, bool is_bad, write_fn *fn, void *ctx,
                     struct err *err)
{
    struct err why = ERR_INIT;
    if (is_bad)
        return s->has_fresh ? fn(ctx, &s->fresh, err) : 0;
    int r = fn(ctx, &s->table, &why);
    mutex_lock(&ix->mu);
    s->written_ns = clock_mono_ns();
    if (slot_code_is_bad(r)) {
        slot_mark_bad_locked(s, why.text);
        r = 0;
    }
    mutex_unlock(&ix->mu);
    slot_end(ix, s);
    return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

/* fn on each table from min to max that may be written to, be it a fresh one; with write_mu held.
 */
static int write_each(struct index *ix, int64_t min_ns, int64_t max_ns, write_fn *fn, void *ctx,
                      struct err *err)
{
    struct period at = slot_before_all;
    for (int r = 0;;) {
        mutex_lock(&ix->mu);
        struct table_slot *s = slot_next_locked(ix, &at, min_ns, max_ns);
        bool is_bad = false;
        if (s) {
            slot_hold_locked(s);
            r = s->exists ? slot_use_locked(ix, s, err) : KV_NONE;
            is_bad = s->health != SLOT_GOOD;
        }
        mutex_unlock(&ix->mu);
        if (!s)
            return 0;
        if (is_bad || r == 0)
            r = write_one(ix, s, is_bad, fn, ctx, err);
        end_writing(ix, s);
        if (r < 0)
            return r;
    }
}

struct removing {
    const struct uuid *segments;
    size_t n;
};

static int remove_from(void *ctx, struct table *t, struct err *err)
{
    const struct removing *rm = ctx;
    return table_remove_segments(t, rm->segments, rm->n, err);
}

static int remove_in_periods(struct index *ix, struct removing *rm, const struct period *periods,
                             size_t n, struct err *err)
{
    struct period *v = mem_alloc((n + 1) * sizeof *v);
    int r = 0;
    memcpy(v, periods, n * sizeof *v);
    n = periods_sort(v, n);
    for (size_t i = 0; i < n && r == 0; i++)
        r = write_each(ix, v[i].start_ns, period_last_ns(v[i]), remove_from, rm, err);
    free(v);
    return r;
}

int index_remove_segments(struct index *ix, const struct uuid *segments, size_t n,
                          const struct period *periods, size_t n_periods, struct err *err)
{
    struct removing rm = {segments, n};
    MUTEX_GUARD(&ix->write_mu);
    return periods ? remove_in_periods(ix, &rm, periods, n_periods, err)
                   : write_each(ix, INT64_MIN, INT64_MAX, remove_from, &rm, err);
}

struct sweeping {
    index_alive_fn *alive;
    void *ctx;
    uint64_t n_removed;
};

static int sweep_table(void *ctx, struct table *t, struct err *err)
{
    struct sweeping *sw = ctx;
    CLEANUP(buf_deinit) struct buf dead = BUF_INIT;
    int r = table_dead_segments(t, sw->alive, sw->ctx, &dead, err);
    size_t n = dead.len / UUID_BYTES;
    if (r < 0 || n == 0)
        return r;
    sw->n_removed += n;
    return table_remove_segments(t, (const struct uuid *)(const void *)dead.p, n, err);
}

int index_sweep(struct index *ix, index_alive_fn *alive, void *ctx, uint64_t *ret_removed,
                struct err *err)
{
    struct sweeping sw = {.alive = alive, .ctx = ctx};
    MUTEX_GUARD(&ix->write_mu);
    int r = write_each(ix, INT64_MIN, INT64_MAX, sweep_table, &sw, err);
    *ret_removed = sw.n_removed;
    return r;
}

/* --- drop ------------------------------------------------------------------------------- */

int slot_set_aside(struct index *ix, const struct period *p, const char *suffix, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, aside = BUF_INIT;
    slot_path(ix, p, "", &path);
    slot_path(ix, p, suffix, &aside);
    if (!file_exists(path.p))
        return 0;
    int r = file_remove_tree(aside.p, err);
    if (r == 0)
        r = file_rename(path.p, aside.p, err);
    return r < 0 ? r : file_fsync_dir(ix->folder, err);
}

int slot_remove(const struct index *ix, const struct period *p, const char *suffix, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    slot_path(ix, p, suffix, &path);
    return file_remove_tree(path.p, err);
}

/* The last user closes it; until then it goes on with the unlinked file. */
int index_drop_period(struct index *ix, struct period p, struct err *err)
{
    MUTEX_GUARD(&ix->write_mu);
    mutex_lock(&ix->mu);
    struct table_slot *s = slot_find_locked(ix, &p);
    while (s && s->opening)
        cond_wait(&ix->changed, &ix->mu);
    int r = s ? slot_set_aside(ix, &p, ".old", err) : 0;
    if (r == 0 && s) {
        slot_close_fresh(s);
        slot_drop_locked(ix, s);
    }
    mutex_unlock(&ix->mu);
    if (r == 0)
        r = slot_remove(ix, &p, ".old", err);
    return r < 0 ? r : slot_remove(ix, &p, ".rebuild", err);
}
