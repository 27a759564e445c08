/* SPDX-License-Identifier: Apache-2.0 */
/* The tables by period, a bounded number of them open, and answers that span several. */
#include "store/index/index.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "regex/regex.h"
#include "store/index/table.h"

COUNTER(index_tables_opened, "halogi_index_tables_opened_total", "Tables opened");

enum { DEFAULT_MAX_OPEN = 32 };
/* An environment keeps the memory of the most pages that one transaction ever changed, some 160
 * bytes a series: after so many it is given back by closing it. */
enum { MANY_NEW_SERIES = 20000 };

/* One table that exists on disk. */
struct table_slot {
    struct period period; /* fixed */
    bool is_open;         /* guarded by mu, as all below */
    bool dropped;         /* to be freed by its last user */
    bool bloated;         /* to be closed by its last user */
    unsigned users;
    uint64_t used_at;   /* of the index's clock of uses */
    struct table table; /* its user's while users > 0 */
};

struct index {
    char *folder; /* fixed at init, as the next two */
    uint64_t map_bytes;
    unsigned max_open;
    struct mutex write_mu; /* one writer; taken before mu, never inside */
    struct mutex mu;
    struct table_slot **slots; /* guarded by mu; ascending by start, then length */
    size_t n_slots, cap_slots;
    uint64_t uses;
    bool names_unsynced; /* a table was made, or half made, and its name may not be durable */
};

static void path_of(const struct index *ix, struct period p, struct buf *ret)
{
    buf_printf(ret, "%s/%lld-%lld", ix->folder, (long long)p.start_ns, (long long)p.length_ns);
    buf_put_u8(ret, 0);
}

/* --- slots ------------------------------------------------------------------------------ */

/* The slot of a period, or where it belongs. */
static size_t slot_place_locked(struct index *ix, struct period p, bool *ret_found)
{
    mutex_assert_held(&ix->mu);
    size_t lo = 0, hi = ix->n_slots;
    *ret_found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct table_slot *s = ix->slots[mid];
        int c = period_cmp(&s->period, &p);
        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct table_slot *slot_add_locked(struct index *ix, struct period p)
{
    mutex_assert_held(&ix->mu);
    bool found;
    size_t at = slot_place_locked(ix, p, &found);
    if (found)
        return ix->slots[at];
    ix->slots = mem_grow(ix->slots, &ix->cap_slots, ix->n_slots + 1, sizeof *ix->slots);
    memmove(ix->slots + at + 1, ix->slots + at, (ix->n_slots - at) * sizeof *ix->slots);
    ix->n_slots++;
    ix->slots[at] = mem_zalloc(1, sizeof **ix->slots);
    ix->slots[at]->period = p;
    return ix->slots[at];
}

static void take_slot_locked(struct index *ix, size_t at)
{
    mutex_assert_held(&ix->mu);
    ix->n_slots--;
    memmove(ix->slots + at, ix->slots + at + 1, (ix->n_slots - at) * sizeof *ix->slots);
}

static void close_slot_locked(struct index *ix, struct table_slot *s)
{
    mutex_assert_held(&ix->mu);
    assert(s->users == 0);
    if (s->is_open)
        table_close(&s->table);
    s->is_open = s->bloated = false;
}

/* Closes the longest unused tables until `keep` are open, or only used ones are left. */
static void close_unused_locked(struct index *ix, size_t keep)
{
    mutex_assert_held(&ix->mu);
    for (;;) {
        size_t n_open = 0;
        struct table_slot *oldest = NULL;
        for (size_t i = 0; i < ix->n_slots; i++) {
            struct table_slot *s = ix->slots[i];
            n_open += s->is_open;
            if (s->is_open && s->users == 0 && (!oldest || s->used_at < oldest->used_at))
                oldest = s;
        }
        if (n_open <= keep || !oldest)
            return;
        close_slot_locked(ix, oldest);
    }
}

static int use_slot_locked(struct index *ix, struct table_slot *s, struct err *err)
{
    mutex_assert_held(&ix->mu);
    if (!s->is_open) {
        close_unused_locked(ix, ix->max_open - 1);
        CLEANUP(buf_deinit) struct buf path = BUF_INIT;
        path_of(ix, s->period, &path);
        int r = table_open(&s->table, path.p, ix->map_bytes, err);
        if (r < 0)
            return r;
        s->is_open = true;
        metric_add(&index_tables_opened, 1);
    }
    s->users++;
    s->used_at = ++ix->uses;
    return 0;
}

static void slot_end(struct index *ix, struct table_slot *s)
{
    mutex_lock(&ix->mu);
    if (--s->users == 0 && (s->dropped || s->bloated))
        close_slot_locked(ix, s);
    if (s->users == 0 && s->dropped)
        free(s);
    mutex_unlock(&ix->mu);
}

/* The first table behind that period which overlaps min..max, taken into use, and its period;
 * KV_NONE behind the last. Tables may come and go between two calls: those of the whole call stay
 * in order. */
static int next_slot(struct index *ix, struct period *behind, int64_t min_ns, int64_t max_ns,
                     struct table_slot **ret, struct err *err)
{
    mutex_lock(&ix->mu);
    bool found;
    size_t at = slot_place_locked(ix, *behind, &found);
    int r = KV_NONE;
    for (at += found; at < ix->n_slots; at++) {
        struct table_slot *s = ix->slots[at];
        if (s->period.start_ns > max_ns)
            break;
        if (period_last_ns(s->period) < min_ns)
            continue;
        r = use_slot_locked(ix, s, err);
        *behind = s->period;
        *ret = s;
        break;
    }
    mutex_unlock(&ix->mu);
    return r;
}

int index_each_table(struct index *ix, int64_t min_ns, int64_t max_ns, index_table_fn *fn,
                     void *ctx, struct err *err)
{
    struct period at = {INT64_MIN, 0};
    for (;;) {
        struct table_slot *s;
        int r = next_slot(ix, &at, min_ns, max_ns, &s, err);
        if (r != KV_OK)
            return r < 0 ? r : 0;
        r = fn(ctx, &s->table, err);
        slot_end(ix, s);
        if (r < 0)
            return err_context(err, r, "index table %lld", (long long)at.start_ns);
    }
}

/* --- open ------------------------------------------------------------------------------- */

static bool parse_folder_name(struct str_view name, struct period *ret)
{
    for (size_t i = name.len; i > 1; i--)
        if (name.p[i - 1] == '-')
            return sv_to_i64(sv_sub(name, 0, i - 1), &ret->start_ns) &&
                   sv_to_i64(sv_from(name, i), &ret->length_ns) && ret->length_ns > 0;
    return false;
}

/* What a crash left of a creation ("<table>.new") or a removal ("<table>.old"). */
static int remove_leftover(const struct index *ix, const char *name, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", ix->folder, name);
    buf_put_u8(&path, 0);
    return file_remove_tree(path.p, err);
}

static int note_table(void *ctx, const char *name, bool is_dir, struct err *err)
{
    struct index *ix = ctx;
    struct period p;
    struct str_view text = sv_of(name), table = sv_sub(text, 0, text.len < 4 ? 0 : text.len - 4);
    if (is_dir && (sv_ends_with(text, SV(".old")) || sv_ends_with(text, SV(".new"))) &&
        parse_folder_name(table, &p))
        return remove_leftover(ix, name, err);
    if (!is_dir || !parse_folder_name(text, &p))
        return 0;
    mutex_lock(&ix->mu);
    slot_add_locked(ix, p);
    mutex_unlock(&ix->mu);
    return 0;
}

int index_open(struct index **ret, const char *folder, const struct index_conf *conf,
               struct err *err)
{
    int r = file_mkdirs(folder, err);
    if (r < 0)
        return err_context(err, r, "index");
    struct index *ix = mem_zalloc(1, sizeof *ix);
    ix->folder = mem_alloc(strlen(folder) + 1);
    memcpy(ix->folder, folder, strlen(folder) + 1);
    ix->map_bytes = conf ? conf->map_bytes : 0;
    ix->max_open = conf && conf->max_open ? conf->max_open : DEFAULT_MAX_OPEN;
    mutex_init(&ix->write_mu);
    mutex_init(&ix->mu);
    r = file_list_dir(folder, note_table, ix, err);
    if (r == 0) /* a table's maker may have been killed before it synced the name */
        r = file_fsync_dir(folder, err);
    if (r < 0) {
        index_close(ix);
        return err_context(err, r, "index");
    }
    *ret = ix;
    return 0;
}

bool index_has_table(struct index *ix, struct period p)
{
    bool found;
    MUTEX_GUARD(&ix->mu);
    slot_place_locked(ix, p, &found);
    return found;
}

void index_close(struct index *ix)
{
    if (!ix)
        return;
    mutex_lock(&ix->mu);
    for (size_t i = 0; i < ix->n_slots; i++) {
        close_slot_locked(ix, ix->slots[i]);
        free(ix->slots[i]);
    }
    mutex_unlock(&ix->mu);
    mutex_deinit(&ix->mu);
    mutex_deinit(&ix->write_mu);
    free(ix->slots);
    free(ix->folder);
    free(ix);
}

/* --- write ------------------------------------------------------------------------------ */

/* A table that could not be made is no table: queries must not fail on it. */
static void forget_absent_locked(struct index *ix, struct table_slot *s)
{
    mutex_assert_held(&ix->mu);
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    path_of(ix, s->period, &path);
    if (s->is_open || s->users > 0 || kv_exists(path.p))
        return;
    bool found;
    take_slot_locked(ix, slot_place_locked(ix, s->period, &found));
    free(s);
}

static int sync_names_locked(struct index *ix, struct err *err)
{
    mutex_assert_held(&ix->mu);
    int r = ix->names_unsynced ? file_fsync_dir(ix->folder, err) : 0;
    if (r == 0)
        ix->names_unsynced = false;
    return r;
}

/* The table of a period, made where there is none, in use.  Its name is durable before a row is
 * written, also where an earlier try made the table and could not sync the name. */
static int use_for_writing_locked(struct index *ix, struct period p, struct table_slot **ret,
                                  struct err *err)
{
    mutex_assert_held(&ix->mu);
    int r = sync_names_locked(ix, err);
    if (r < 0)
        return r;
    *ret = slot_add_locked(ix, p);
    r = use_slot_locked(ix, *ret, err);
    if (r < 0) {
        ix->names_unsynced = true;
        forget_absent_locked(ix, *ret);
    }
    return r;
}

static int add_period(struct index *ix, struct uuid segment, const struct index_part *parts,
                      size_t n, struct err *err)
{
    struct period p = {parts->period_start_ns, parts->period_length_ns};
    if (p.length_ns <= 0)
        return err_set(err, ERR_INVALID, "a period of %lld ns", (long long)p.length_ns);
    struct table_slot *s;
    mutex_lock(&ix->mu);
    int r = use_for_writing_locked(ix, p, &s, err);
    mutex_unlock(&ix->mu);
    if (r < 0)
        return err_blame_index(err, r);
    uint64_t n_new = 0;
    r = table_add_parts(&s->table, segment, parts, n, &n_new, err);
    if (n_new >= MANY_NEW_SERIES) {
        MUTEX_GUARD(&ix->mu);
        s->bloated = true;
    }
    slot_end(ix, s);
    return r;
}

int index_add_segment(struct index *ix, struct uuid segment, const struct index_part *parts,
                      size_t n_parts, struct err *err)
{
    mutex_lock(&ix->write_mu);
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n_parts;) {
        size_t n = 1;
        while (i + n < n_parts && parts[i + n].period_start_ns == parts[i].period_start_ns &&
               parts[i + n].period_length_ns == parts[i].period_length_ns)
            n++;
        r = add_period(ix, segment, parts + i, n, err);
        i += n;
    }
    mutex_unlock(&ix->write_mu);
    return r < 0 ? err_context(err, r, "index rows of a segment") : 0;
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
        r = index_each_table(ix, v[i].start_ns, period_last_ns(v[i]), remove_from, rm, err);
    free(v);
    return r;
}

int index_remove_segments(struct index *ix, const struct uuid *segments, size_t n,
                          const struct period *periods, size_t n_periods, struct err *err)
{
    struct removing rm = {segments, n};
    mutex_lock(&ix->write_mu);
    int r = periods ? remove_in_periods(ix, &rm, periods, n_periods, err)
                    : index_each_table(ix, INT64_MIN, INT64_MAX, remove_from, &rm, err);
    mutex_unlock(&ix->write_mu);
    return r;
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
    mutex_lock(&ix->write_mu);
    int r = index_each_table(ix, INT64_MIN, INT64_MAX, sweep_table, &sw, err);
    mutex_unlock(&ix->write_mu);
    *ret_removed = sw.n_removed;
    return r;
}

/* Durably under a name that is no table's; what it held is removed afterwards. */
static int rename_away(struct index *ix, const struct buf *path, const struct buf *old,
                       struct err *err)
{
    int r = file_remove_tree(old->p, err);
    if (r == 0)
        r = file_rename(path->p, old->p, err);
    return r < 0 ? r : file_fsync_dir(ix->folder, err);
}

/* The last user closes it; until then it goes on with the unlinked file. */
static void take_out_locked(struct index *ix, size_t at)
{
    mutex_assert_held(&ix->mu);
    struct table_slot *s = ix->slots[at];
    take_slot_locked(ix, at);
    s->dropped = true;
    if (s->users == 0) {
        close_slot_locked(ix, s);
        free(s);
    }
}

int index_drop_period(struct index *ix, struct period p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, old = BUF_INIT;
    path_of(ix, p, &path);
    buf_printf(&old, "%s.old", path.p);
    buf_put_u8(&old, 0);
    mutex_lock(&ix->write_mu);
    mutex_lock(&ix->mu);
    bool found;
    size_t at = slot_place_locked(ix, p, &found);
    int r = found && file_exists(path.p) ? rename_away(ix, &path, &old, err) : 0;
    if (r == 0 && found)
        take_out_locked(ix, at);
    mutex_unlock(&ix->mu);
    if (r == 0)
        r = file_remove_tree(old.p, err);
    mutex_unlock(&ix->write_mu);
    return r;
}
