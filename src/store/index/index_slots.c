/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index/index_slots.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/metrics.h"
#include "store/index/table_verify.h"

COUNTER(tables_opened, "halogi_index_tables_opened_total", "Tables opened");
COUNTER(tables_bad, "halogi_index_tables_damaged_total",
        "Tables found damaged, missing or behind, to be made again from segments");

const struct period slot_before_all = {INT64_MIN, 0};

/* --- names ------------------------------------------------------------------------------ */

void slot_path(const struct index *ix, const struct period *p, const char *suffix, struct buf *ret)
{
    buf_clear(ret);
    buf_printf(ret, "%s/%lld-%lld%s", ix->folder, (long long)p->start_ns, (long long)p->length_ns,
               suffix);
    buf_put_u8(ret, 0);
}

void period_print(const struct period *p, struct buf *ret)
{
    bool days = p->start_ns % NS_PER_DAY == 0 && p->length_ns % NS_PER_DAY == 0;
    time_t s = (time_t)(p->start_ns / NS_PER_S - (p->start_ns % NS_PER_S < 0));
    struct tm tm;
    char text[64];
    gmtime_r(&s, &tm);
    strftime(text, sizeof text, days ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_printf(ret, "%s", text);
}

/* --- the list --------------------------------------------------------------------------- */

/* Where the slot of a period stands, or belongs. */
static size_t place_of(const struct index *ix, const struct period *p, bool *ret_found)
{
    size_t lo = 0, hi = ix->n_slots;
    *ret_found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = period_cmp(&ix->slots[mid]->period, p);
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

struct table_slot *slot_find_locked(struct index *ix, const struct period *p)
{
    bool found;
    size_t at = place_of(ix, p, &found);
    return found ? ix->slots[at] : NULL;
}

struct table_slot *slot_add_locked(struct index *ix, const struct period *p)
{
    bool found;
    size_t at = place_of(ix, p, &found);
    if (found)
        return ix->slots[at];
    ix->slots = mem_grow(ix->slots, &ix->cap_slots, ix->n_slots + 1, sizeof *ix->slots);
    memmove(ix->slots + at + 1, ix->slots + at, (ix->n_slots - at) * sizeof *ix->slots);
    ix->n_slots++;
    ix->slots[at] = mem_zalloc(1, sizeof **ix->slots);
    ix->slots[at]->period = *p;
    return ix->slots[at];
}

struct table_slot *slot_next_locked(struct index *ix, struct period *at, int64_t min_ns,
                                    int64_t max_ns)
{
    bool found;
    size_t i = place_of(ix, at, &found);
    for (i += found; i < ix->n_slots; i++) {
        struct table_slot *s = ix->slots[i];
        if (s->period.start_ns > max_ns)
            return NULL;
        if (period_last_ns(s->period) < min_ns)
            continue;
        *at = s->period;
        return s;
    }
    return NULL;
}

static void close_table_locked(struct table_slot *s)
{
    assert(s->users == 0 && !s->opening);
    if (s->is_open) {
        kv_look(s->table.kv, &s->seen);
        table_close(&s->table);
    }
    s->is_open = s->bloated = false;
}

void slot_hold_locked(struct table_slot *s)
{
    s->holders++;
}

void slot_release_locked(struct index *ix, struct table_slot *s)
{
    if (--s->holders > 0 || !s->dropped)
        return;
    close_table_locked(s);
    free(s->why);
    free(s->unread);
    free(s);
}

void slot_drop_locked(struct index *ix, struct table_slot *s)
{
    bool found;
    size_t at = place_of(ix, &s->period, &found);
    assert(found && ix->slots[at] == s);
    ix->n_slots--;
    memmove(ix->slots + at, ix->slots + at + 1, (ix->n_slots - at) * sizeof *ix->slots);
    s->holders++;
    s->dropped = true;
    slot_release_locked(ix, s);
}

/* --- open and close --------------------------------------------------------------------- */

/* Closes the longest unused tables until `keep` are open, or only used ones are left. */
static void close_unused_locked(struct index *ix, size_t keep)
{
    for (;;) {
        size_t n_open = 0;
        struct table_slot *oldest = NULL;
        for (size_t i = 0; i < ix->n_slots; i++) {
            struct table_slot *s = ix->slots[i];
            n_open += s->is_open || s->opening;
            if (s->is_open && s->users == 0 && (!oldest || s->used_at < oldest->used_at))
                oldest = s;
        }
        if (n_open <= keep || !oldest)
            return;
        close_table_locked(oldest);
    }
}

struct checking {
    const struct index_conf *conf;
    const struct period *period;
};

/* By whoever the owner named; where that cannot look, here. */
static int check_table(void *ctx, const char *folder, struct err *err)
{
    const struct checking *c = ctx;
    int r = c->conf->check ? c->conf->check(c->conf->check_ctx, folder, err) : -ENOSYS;
    if (r == 0 || slot_code_is_bad(r))
        return r;
    return table_verify(folder, c->period, err);
}

static void note_seal_locked(struct table_slot *s)
{
    bool unsealed = !kv_is_sealed(s->table.kv);
    if (unsealed && !s->unsealed)
        s->written_ns = clock_mono_ns();
    s->unsealed = unsealed;
}

/* Gives mu up meanwhile.  What is wrong with a table that was there makes it bad. */
static int open_locked(struct index *ix, struct table_slot *s, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    struct period period = s->period;
    struct checking checking = {&ix->conf, &period};
    struct kv_seen seen = s->seen;
    struct table_conf conf = {.period = period,
                              .map_bytes = ix->conf.map_bytes,
                              .must_exist = s->exists,
                              .seen = &seen,
                              .check = check_table,
                              .check_ctx = &checking};
    struct table t;
    struct err why = ERR_INIT;
    slot_path(ix, &period, "", &path);
    s->opening = true;
    close_unused_locked(ix, ix->conf.max_open - 1);
    mutex_unlock(&ix->mu);
    int r = table_open(&t, path.p, &conf, &why);
    mutex_lock(&ix->mu);
    s->opening = false;
    cond_broadcast(&ix->changed);
    if (s->exists && (slot_code_is_bad(r) || r == -ENOENT || r == -EIO)) {
        slot_mark_bad_locked(s, why.text);
        return slot_refuse_locked(s, err);
    }
    if (r < 0)
        return err_set(err, r, "%s", why.text);
    s->table = t;
    s->is_open = s->exists = true;
    note_seal_locked(s);
    metric_add(&tables_opened, 1);
    return 0;
}

int slot_use_locked(struct index *ix, struct table_slot *s, struct err *err)
{
    int r = 0;
    slot_hold_locked(s);
    while (r == 0 && s->health == SLOT_GOOD && !s->is_open) {
        if (s->opening)
            cond_wait(&ix->changed, &ix->mu);
        else
            r = open_locked(ix, s, err);
    }
    if (r == 0 && s->health != SLOT_GOOD)
        r = slot_refuse_locked(s, err);
    if (r < 0) {
        slot_release_locked(ix, s);
        return r;
    }
    s->users++;
    s->used_at = ++ix->uses;
    return 0;
}

void slot_end(struct index *ix, struct table_slot *s)
{
    MUTEX_GUARD(&ix->mu);
    note_seal_locked(s);
    if (--s->users == 0) {
        if (s->dropped || s->bloated || s->health != SLOT_GOOD)
            close_table_locked(s);
        cond_broadcast(&ix->changed);
    }
    slot_release_locked(ix, s);
}

void slot_close_locked(struct index *ix, struct table_slot *s)
{
    while (s->opening || s->users > 0)
        cond_wait(&ix->changed, &ix->mu);
    close_table_locked(s);
}

/* --- bad ones --------------------------------------------------------------------------- */

bool slot_code_is_bad(int code)
{
    return code == ERR_CORRUPT || code == ERR_UNSUPPORTED;
}

void slot_mark_bad_locked(struct table_slot *s, const char *why)
{
    if (s->health != SLOT_GOOD)
        return;
    s->health = SLOT_BAD;
    s->exists = true; /* the next one to write must not make an empty one */
    s->why = strdup(why);
    s->seen = (struct kv_seen){0};
    if (s->users == 0 && !s->opening)
        close_table_locked(s);
    metric_add(&tables_bad, 1);
}

int slot_refuse_locked(const struct table_slot *s, struct err *err)
{
    CLEANUP(buf_deinit) struct buf day = BUF_INIT;
    period_print(&s->period, &day);
    if (s->health == SLOT_REBUILDING)
        return err_set(err, ERR_UNAVAILABLE,
                       "the index of %.*s is being rebuilt: %zu of %zu segments",
                       SV_ARG(buf_view(&day)), s->n_done, s->n_total);
    return err_set(err, ERR_UNAVAILABLE, "the index of %.*s is damaged and waits to be rebuilt: %s",
                   SV_ARG(buf_view(&day)), s->why);
}

int slot_fresh(struct index *ix, struct table_slot *s, struct err *err)
{
    if (s->has_fresh)
        return 0;
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    struct table_conf conf = {.period = s->period, .map_bytes = ix->conf.map_bytes};
    slot_path(ix, &s->period, ".rebuild", &path);
    int r = table_open(&s->fresh, path.p, &conf, err);
    s->has_fresh = r == 0;
    return r;
}

void slot_close_fresh(struct table_slot *s)
{
    if (s->has_fresh)
        table_close(&s->fresh);
    s->has_fresh = false;
}
