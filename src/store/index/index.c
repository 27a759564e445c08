/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, and the way of a question through the tables of its time. */
#include "store/index/index.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/index/index_slots.h"
#include "store/view.h"

enum { DEFAULT_MAX_OPEN = 32 };
#define DEFAULT_SEAL_AFTER_NS (5 * NS_PER_MIN)

/* --- open ------------------------------------------------------------------------------- */

static bool parse_folder_name(struct str_view name, struct period *ret)
{
    for (size_t i = name.len; i > 1; i--)
        if (name.p[i - 1] == '-')
            return sv_to_i64(sv_sub(name, 0, i - 1), &ret->start_ns) &&
                   sv_to_i64(sv_from(name, i), &ret->length_ns) && ret->length_ns > 0;
    return false;
}

/* "<table>" with one of our endings, or two: half of what is being made again. */
static bool is_leftover(struct str_view name)
{
    static const struct str_view endings[] = {
        {".new", 4}, {".old", 4}, {".bad", 4}, {".rebuild", 8}};
    struct period p;
    size_t before = name.len + 1;
    while (name.len < before) {
        before = name.len;
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
            if (sv_ends_with(name, endings[i]))
                name.len -= endings[i].len;
    }
    return parse_folder_name(name, &p);
}

static int note_table(void *ctx, const char *name, bool is_dir, struct err *err)
{
    struct index *ix = ctx;
    struct period p;
    if (!is_dir)
        return 0;
    if (parse_folder_name(sv_of(name), &p)) {
        MUTEX_GUARD(&ix->mu);
        slot_add_locked(ix, &p)->exists = true;
        return 0;
    }
    if (!is_leftover(sv_of(name)))
        return 0;
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", ix->folder, name);
    buf_put_u8(&path, 0);
    return file_remove_tree(path.p, err);
}

static struct index *index_new(const char *folder, const struct index_conf *conf)
{
    struct index *ix = mem_zalloc(1, sizeof *ix);
    ix->folder = mem_alloc(strlen(folder) + 1);
    memcpy(ix->folder, folder, strlen(folder) + 1);
    if (conf)
        ix->conf = *conf;
    if (ix->conf.max_open == 0)
        ix->conf.max_open = DEFAULT_MAX_OPEN;
    if (ix->conf.seal_after_ns == 0)
        ix->conf.seal_after_ns = DEFAULT_SEAL_AFTER_NS;
    mutex_init(&ix->write_mu);
    mutex_init(&ix->mu);
    cond_init(&ix->changed);
    return ix;
}

int index_open(struct index **ret, const char *folder, const struct index_conf *conf,
               struct err *err)
{
    int r = file_mkdirs(folder, err);
    if (r < 0)
        return err_context(err, r, "index");
    struct index *ix = index_new(folder, conf);
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

void index_close(struct index *ix)
{
    if (!ix)
        return;
    index_seal_all(ix);
    mutex_lock(&ix->mu);
    while (ix->n_slots > 0) {
        struct table_slot *s = ix->slots[ix->n_slots - 1];
        slot_close_fresh(s);
        slot_drop_locked(ix, s);
    }
    mutex_unlock(&ix->mu);
    cond_deinit(&ix->changed);
    mutex_deinit(&ix->mu);
    mutex_deinit(&ix->write_mu);
    free(ix->slots);
    free(ix->folder);
    free(ix);
}

/* --- what must be there ----------------------------------------------------------------- */

bool index_has_table(struct index *ix, struct period p)
{
    MUTEX_GUARD(&ix->mu);
    const struct table_slot *s = slot_find_locked(ix, &p);
    return s && s->exists;
}

void index_expect(struct index *ix, const struct period *periods, size_t n)
{
    MUTEX_GUARD(&ix->mu);
    for (size_t i = 0; i < n; i++) {
        struct table_slot *s = slot_add_locked(ix, &periods[i]);
        if (!s->exists)
            slot_mark_bad_locked(s, "there is none");
    }
}

/* The first view that asks tells what the table must hold.  Later segments come through us. */
static int meet_view(struct index *ix, struct table_slot *s, const struct view *view,
                     struct err *err)
{
    mutex_lock(&ix->mu);
    bool met = s->expected_met;
    mutex_unlock(&ix->mu);
    if (met)
        return 0;
    struct uuid *unread = NULL;
    size_t n_unread = 0;
    int r = table_meet_view(&s->table, view, &s->period, &unread, &n_unread, err);
    mutex_lock(&ix->mu);
    if (r == 0 && !s->expected_met) {
        s->expected_met = true;
        s->unread = TAKE(unread);
        s->n_unread = n_unread;
    }
    mutex_unlock(&ix->mu);
    free(unread);
    return r;
}

/* A damaged table is no answer: not now, and not to the next question. */
static int turn_bad(struct index *ix, struct table_slot *s, const char *why, struct err *err)
{
    MUTEX_GUARD(&ix->mu);
    slot_mark_bad_locked(s, why);
    return slot_refuse_locked(s, err);
}

int index_check_next(struct index *ix, const struct view *view, struct err *err)
{
    struct period at = slot_before_all;
    mutex_lock(&ix->mu);
    struct table_slot *s;
    do
        s = slot_next_locked(ix, &at, INT64_MIN, INT64_MAX);
    while (s && (s->used_at > 0 || s->health != SLOT_GOOD || !s->exists));
    int r = s ? slot_use_locked(ix, s, err) : KV_NONE;
    mutex_unlock(&ix->mu);
    if (r != 0)
        return r == ERR_UNAVAILABLE ? KV_OK : r;
    struct err why = ERR_INIT;
    r = meet_view(ix, s, view, &why);
    if (slot_code_is_bad(r))
        turn_bad(ix, s, why.text, NULL);
    slot_end(ix, s);
    return r < 0 && !slot_code_is_bad(r) ? err_set(err, r, "%s", why.text) : KV_OK;
}

/* --- asking ----------------------------------------------------------------------------- */

/* Segments of the time asked for that the index knows to hold more than it could read. */
static int tell_unread(struct index *ix, struct table_slot *s, const struct index_query *q,
                       struct err *err)
{
    mutex_lock(&ix->mu); /* they stay while the table is in use */
    const struct uuid *v = s->unread;
    size_t n = s->n_unread;
    mutex_unlock(&ix->mu);
    for (size_t i = 0; i < n; i++) {
        size_t order = view_find_segment(q->view, v[i]);
        if (order == SIZE_MAX)
            continue;
        struct live_segment *live = q->view->segments[order];
        if (live->info.min_ts_ns > q->max_ts_ns || live->info.max_ts_ns < q->min_ts_ns)
            continue;
        if (!q->unread)
            return err_set(err, ERR_CORRUPT,
                           "segment '%.*s' could not be read when its index was rebuilt",
                           SV_ARG(live->info.key));
        q->unread(q->unread_ctx, live);
    }
    return 0;
}

static int ask_table(struct index *ix, struct table_slot *s, const struct index_query *q,
                     index_table_fn *fn, void *ctx, struct err *err)
{
    struct err why = ERR_INIT;
    int r = meet_view(ix, s, q->view, &why);
    int told = r == 0 ? tell_unread(ix, s, q, err) : 0; /* not the table's fault */
    if (told < 0)
        return told;
    if (r == 0)
        r = fn(ctx, &s->table, &why);
    if (slot_code_is_bad(r))
        return turn_bad(ix, s, why.text, err);
    return r < 0 ? err_set(err, r, "%s", why.text) : r;
}

/* The first table behind *at that may hold something, taken into use; KV_NONE behind the last.
 * Tables may come and go between two calls: those of the whole call stay in order. */
static int next_table(struct index *ix, struct period *at, const struct index_query *q,
                      struct table_slot **ret, struct err *err)
{
    MUTEX_GUARD(&ix->mu);
    do
        *ret = slot_next_locked(ix, at, q->min_ts_ns, q->max_ts_ns);
    while (*ret && !(*ret)->exists);
    return *ret ? slot_use_locked(ix, *ret, err) : KV_NONE;
}

int index_each_table(struct index *ix, const struct index_query *q, index_table_fn *fn, void *ctx,
                     struct err *err)
{
    struct period at = slot_before_all;
    for (;;) {
        struct table_slot *s;
        int r = next_table(ix, &at, q, &s, err);
        if (r != KV_OK)
            return r < 0 ? r : 0;
        r = ask_table(ix, s, q, fn, ctx, err);
        slot_end(ix, s);
        if (r < 0)
            return r;
    }
}
