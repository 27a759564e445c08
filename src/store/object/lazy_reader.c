/* SPDX-License-Identifier: Apache-2.0 */
#include "store/object/lazy_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/object/object.h"

void lazy_readers_init(struct lazy_readers *all, unsigned max_open)
{
    *all = (struct lazy_readers){.max_open = max_open};
    mutex_init(&all->mu);
}

void lazy_readers_deinit(struct lazy_readers *all)
{
    assert(all->n_open == 0);
    mutex_deinit(&all->mu);
}

/* ---- the list of open ones that nobody reads ---- */

static void leave_idle_locked(struct lazy_reader *r)
{
    mutex_assert_held(&r->all->mu);
    struct lazy_readers *all = r->all;
    *(r->older ? &r->older->newer : &all->oldest) = r->newer;
    *(r->newer ? &r->newer->older : &all->newest) = r->older;
    r->older = r->newer = NULL;
}

static void join_idle_locked(struct lazy_reader *r)
{
    mutex_assert_held(&r->all->mu);
    struct lazy_readers *all = r->all;
    r->older = all->newest;
    *(all->newest ? &all->newest->newer : &all->oldest) = r;
    all->newest = r;
}

/* Of an idle one; to be closed outside the lock. */
static struct object_reader *take_locked(struct lazy_reader *r)
{
    mutex_assert_held(&r->all->mu);
    leave_idle_locked(r);
    r->all->n_open--;
    return TAKE(r->reader);
}

static void close_crowd(struct lazy_readers *all)
{
    for (;;) {
        mutex_lock(&all->mu);
        bool crowded = all->n_open > all->max_open && all->oldest;
        struct object_reader *r = crowded ? take_locked(all->oldest) : NULL;
        mutex_unlock(&all->mu);
        if (!r)
            return;
        object_close(r);
    }
}

/* ---- reading ---- */

/* Uses the one that is open, or else *fresh, which it takes.  NULL: there is neither. */
static struct object_reader *use(struct lazy_reader *r, struct object_reader **fresh)
{
    MUTEX_GUARD(&r->all->mu);
    if (r->reader && r->n_reading == 0) {
        leave_idle_locked(r);
    } else if (!r->reader && *fresh) {
        r->reader = TAKE(*fresh);
        r->all->n_open++;
    }
    r->n_reading += r->reader != NULL;
    return r->reader;
}

static int hold(struct lazy_reader *r, struct object_reader **ret, struct err *err)
{
    struct object_reader *fresh = NULL;
    *ret = use(r, &fresh);
    if (*ret)
        return 0;
    int code = object_open(r->store, sv_of(r->key), &fresh, err);
    if (code < 0)
        return code;
    *ret = use(r, &fresh);
    object_close(fresh); /* another thread was faster */
    close_crowd(r->all);
    return 0;
}

static void release(struct lazy_reader *r)
{
    struct lazy_readers *all = r->all;
    mutex_lock(&all->mu);
    if (--r->n_reading == 0)
        join_idle_locked(r);
    bool crowded = all->n_open > all->max_open;
    mutex_unlock(&all->mu);
    if (crowded)
        close_crowd(all);
}

void lazy_reader_init(struct lazy_reader *r, struct lazy_readers *all, struct object_store *store,
                      struct str_view key)
{
    *r = (struct lazy_reader){.all = all, .store = store};
    r->key = mem_alloc(key.len + 1);
    memcpy(r->key, key.p, key.len);
    r->key[key.len] = '\0';
}

void lazy_reader_deinit(struct lazy_reader *r)
{
    mutex_lock(&r->all->mu);
    assert(r->n_reading == 0);
    struct object_reader *open = r->reader ? take_locked(r) : NULL;
    mutex_unlock(&r->all->mu);
    object_close(open);
    free(r->key);
}

int lazy_reader_bytes(struct lazy_reader *r, uint64_t *ret, struct err *err)
{
    struct object_reader *open;
    int code = hold(r, &open, err);
    if (code < 0)
        return code;
    *ret = object_bytes(open);
    release(r);
    return 0;
}

int lazy_reader_pread(void *reader, void *to, size_t len, uint64_t at, struct err *err)
{
    struct object_reader *open;
    int code = hold(reader, &open, err);
    if (code < 0)
        return code;
    code = object_pread(open, to, len, at, err);
    release(reader);
    return code;
}
