/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory, for tests.  Objects are counted, so a reader keeps what it opened. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "store/object/object.h"

struct blob {
    uint32_t refs; /* guarded by mu, as all of it but the bytes */
    struct buf key, data;
    int64_t mtime_ns;
};

struct mem_store {
    struct object_store base;
    struct mutex mu;
    struct blob **blobs; /* guarded by mu; by key */
    size_t n_blobs, cap_blobs;
};

struct mem_writer {
    struct object_writer base;
    struct mem_store *store;
    struct blob *blob;
};

struct mem_reader {
    struct object_reader base;
    struct mem_store *store;
    struct blob *blob;
};

static void blob_unref_locked(struct mem_store *s, struct blob *b)
{
    mutex_assert_held(&s->mu);
    if (--b->refs > 0)
        return;
    buf_deinit(&b->key);
    buf_deinit(&b->data);
    free(b);
}

/* First blob whose key is not below `key`. */
static size_t lower_bound_locked(const struct mem_store *s, struct str_view key)
{
    mutex_assert_held(&s->mu);
    size_t lo = 0, hi = s->n_blobs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sv_cmp(buf_view(&s->blobs[mid]->key), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_at_locked(const struct mem_store *s, size_t at, struct str_view key)
{
    mutex_assert_held(&s->mu);
    return at < s->n_blobs && sv_eq(buf_view(&s->blobs[at]->key), key);
}

static const struct object_ops mem_ops;

static int mem_create(struct object_store *store, struct str_view key, struct object_writer **ret,
                      struct err *err)
{
    struct mem_writer *w = mem_zalloc(1, sizeof *w);
    w->base.ops = &mem_ops;
    w->store = (struct mem_store *)store;
    w->blob = mem_zalloc(1, sizeof *w->blob);
    w->blob->refs = 1;
    buf_put(&w->blob->key, key);
    *ret = &w->base;
    return 0;
}

static int mem_write(struct object_writer *base, struct str_view data, struct err *err)
{
    buf_put(&((struct mem_writer *)base)->blob->data, data);
    return 0;
}

static int mem_commit(struct object_writer *base, struct err *err)
{
    struct mem_writer *w = (struct mem_writer *)base;
    struct mem_store *s = w->store;
    w->blob->mtime_ns = clock_wall_ns();
    mutex_lock(&s->mu);
    size_t at = lower_bound_locked(s, buf_view(&w->blob->key));
    if (is_at_locked(s, at, buf_view(&w->blob->key))) {
        blob_unref_locked(s, s->blobs[at]);
    } else {
        s->blobs = mem_grow(s->blobs, &s->cap_blobs, s->n_blobs + 1, sizeof *s->blobs);
        memmove(s->blobs + at + 1, s->blobs + at, (s->n_blobs - at) * sizeof *s->blobs);
        s->n_blobs++;
    }
    s->blobs[at] = w->blob;
    mutex_unlock(&s->mu);
    free(w);
    return 0;
}

static void mem_abort(struct object_writer *base)
{
    struct mem_writer *w = (struct mem_writer *)base;
    mutex_lock(&w->store->mu);
    blob_unref_locked(w->store, w->blob);
    mutex_unlock(&w->store->mu);
    free(w);
}

static int mem_open(struct object_store *store, struct str_view key, struct object_reader **ret,
                    struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    struct blob *hit = NULL;
    mutex_lock(&s->mu);
    size_t at = lower_bound_locked(s, key);
    if (is_at_locked(s, at, key)) {
        hit = s->blobs[at];
        hit->refs++;
    }
    mutex_unlock(&s->mu);
    if (!hit)
        return err_set(err, ERR_NOT_FOUND, "no object '%.*s'", SV_ARG(key));
    struct mem_reader *r = mem_zalloc(1, sizeof *r);
    r->base = (struct object_reader){&mem_ops, hit->data.len};
    r->store = s;
    r->blob = hit;
    *ret = &r->base;
    return 0;
}

static int mem_pread(struct object_reader *base, void *to, size_t len, uint64_t at, struct err *err)
{
    memcpy(to, ((struct mem_reader *)base)->blob->data.p + at, len);
    return 0;
}

static void mem_close(struct object_reader *base)
{
    struct mem_reader *r = (struct mem_reader *)base;
    mutex_lock(&r->store->mu);
    blob_unref_locked(r->store, r->blob);
    mutex_unlock(&r->store->mu);
    free(r);
}

/* The callback runs without the lock, so it may use the store: go on behind the last key. */
static int mem_list(struct object_store *store, struct str_view prefix, object_list_fn *fn,
                    void *ctx, struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    CLEANUP(buf_deinit) struct buf key = BUF_INIT;
    buf_put(&key, prefix);
    for (bool first = true;; first = false) {
        mutex_lock(&s->mu);
        size_t at = lower_bound_locked(s, buf_view(&key));
        if (!first && is_at_locked(s, at, buf_view(&key)))
            at++;
        bool more = at < s->n_blobs && sv_starts_with(buf_view(&s->blobs[at]->key), prefix);
        struct object_info info = {0};
        if (more) {
            buf_clear(&key);
            buf_put(&key, buf_view(&s->blobs[at]->key));
            info = (struct object_info){buf_view(&key), s->blobs[at]->data.len,
                                        s->blobs[at]->mtime_ns};
        }
        mutex_unlock(&s->mu);
        if (!more)
            return 0;
        int r = fn(ctx, &info, err);
        if (r != 0)
            return r;
    }
}

static int mem_del(struct object_store *store, struct str_view key, struct err *err)
{
    struct mem_store *s = (struct mem_store *)store;
    mutex_lock(&s->mu);
    size_t at = lower_bound_locked(s, key);
    if (is_at_locked(s, at, key)) {
        blob_unref_locked(s, s->blobs[at]);
        memmove(s->blobs + at, s->blobs + at + 1, (s->n_blobs - at - 1) * sizeof *s->blobs);
        s->n_blobs--;
    }
    mutex_unlock(&s->mu);
    return 0;
}

static void mem_free(struct object_store *store)
{
    struct mem_store *s = (struct mem_store *)store;
    mutex_lock(&s->mu);
    for (size_t i = 0; i < s->n_blobs; i++)
        blob_unref_locked(s, s->blobs[i]);
    mutex_unlock(&s->mu);
    mutex_deinit(&s->mu);
    free(s->blobs);
    free(s);
}

static const struct object_ops mem_ops = {
    .create = mem_create,
    .write = mem_write,
    .commit = mem_commit,
    .abort = mem_abort,
    .open = mem_open,
    .pread = mem_pread,
    .close = mem_close,
    .list = mem_list,
    .del = mem_del,
    .free = mem_free,
};

struct object_store *object_mem_new(void)
{
    struct mem_store *s = mem_zalloc(1, sizeof *s);
    s->base.ops = &mem_ops;
    mutex_init(&s->mu);
    return &s->base;
}
