/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kv.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/thread.h"
#include "store/kv_sum.h"

enum { MAX_READERS = 512, FILE_MODE = 0640 };
#define DEFAULT_MAP_BYTES (UINT64_C(1) << 30)

struct kv {
    MDB_env *env; /* guarded by map_lock, as the next five; NULL: it did not open again */
    MDB_dbi dbis[KV_MAX_DBS];
    uint64_t map_bytes;
    const char *map; /* NULL: where it is is not known */
    uint32_t page_bytes;
    uint64_t n_opens;
    struct rwlock map_lock; /* held shared by every transaction, alone to grow or open again */
    struct mutex write_mu;  /* one writer, or the sealer; map_lock may be taken inside */
    bool has_sum;           /* a file of that name; guarded by write_mu */
    _Atomic bool sealed;    /* changed under write_mu */
    char *folder;           /* fixed at open, as all below */
    const char *const *dbs;
    unsigned n_dbs;
    dev_t dev; /* the registry's key */
    ino_t ino;
    struct kv *next; /* guarded by registry_mu */
};

/* LMDB does not notice a second open of one file, and closing either drops the locks of both. */
static struct mutex registry_mu = MUTEX_INIT;
static struct kv *registry; /* guarded by registry_mu */

static int mdb_err(struct err *err, int rc, const char *what)
{
    int code = ERR_CORRUPT;
    if (rc > 0)
        code = -rc;
    else if (rc == MDB_MAP_FULL)
        code = -ENOSPC;
    else if (rc == MDB_VERSION_MISMATCH)
        code = ERR_UNSUPPORTED;
    else if (rc == MDB_READERS_FULL || rc == MDB_PANIC)
        code = ERR_UNAVAILABLE;
    else if (rc == MDB_TXN_FULL)
        code = ERR_TOO_LARGE;
    return err_set(err, code, "lmdb %s: %s", what, mdb_strerror(rc));
}

static MDB_val val_of(struct str_view v)
{
    return (MDB_val){v.len, (void *)(uintptr_t)v.p};
}

static struct str_view view_of(MDB_val v)
{
    return (struct str_view){v.mv_data, v.mv_size};
}

static bool register_env(struct kv *kv)
{
    mutex_lock(&registry_mu);
    for (struct kv *k = registry; k; k = k->next) {
        if (k->dev == kv->dev && k->ino == kv->ino) {
            mutex_unlock(&registry_mu);
            return false;
        }
    }
    kv->next = registry;
    registry = kv;
    mutex_unlock(&registry_mu);
    return true;
}

static void unregister_env(struct kv *kv)
{
    mutex_lock(&registry_mu);
    for (struct kv **k = &registry; *k; k = &(*k)->next) {
        if (*k == kv) {
            *k = kv->next;
            break;
        }
    }
    mutex_unlock(&registry_mu);
}

static int open_env(MDB_env **ret, const char *folder, uint64_t map_bytes, struct err *err)
{
    MDB_env *env;
    int rc = mdb_env_create(&env);
    if (rc != 0)
        return mdb_err(err, rc, "environment");
    const char *what = "settings";
    if ((rc = mdb_env_set_maxdbs(env, KV_MAX_DBS)) == 0 &&
        (rc = mdb_env_set_maxreaders(env, MAX_READERS)) == 0 &&
        (rc = mdb_env_set_mapsize(env, map_bytes)) == 0) {
        what = "open";
        rc = mdb_env_open(env, folder, MDB_NOTLS, FILE_MODE);
    }
    if (rc != 0) {
        mdb_env_close(env);
        return mdb_err(err, rc, what);
    }
    int dead;
    mdb_reader_check(env, &dead); /* slots of a process that was killed */
    *ret = env;
    return 0;
}

/* Names the databases in one transaction, and runs init in it. */
static int create_dbs(struct kv *kv, MDB_env *env, const struct kv_conf *conf, struct err *err)
{
    struct kv_txn t = {.kv = kv, .writes = true};
    int rc = mdb_txn_begin(env, NULL, 0, &t.txn);
    if (rc != 0)
        return mdb_err(err, rc, "begin");
    for (unsigned i = 0; i < conf->n_dbs && rc == 0; i++)
        rc = mdb_dbi_open(t.txn, conf->dbs[i], MDB_CREATE, &kv->dbis[i]);
    int r = rc != 0 ? mdb_err(err, rc, "create") : conf->init ? conf->init(conf->ctx, &t, err) : 0;
    if (r < 0) {
        mdb_txn_abort(t.txn);
        return r;
    }
    rc = mdb_txn_commit(t.txn);
    return rc == 0 ? 0 : mdb_err(err, rc, "commit");
}

static char *joined(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    char *s = mem_alloc(na + nb + 1);
    memcpy(s, a, na);
    memcpy(s + na, b, nb + 1);
    return s;
}

static void free_text(char **p)
{
    free(*p);
}

bool kv_exists(const char *folder)
{
    CLEANUP(free_text) char *data = joined(folder, "/data.mdb");
    return file_exists(data);
}

static int sync_parent(const char *path, struct err *err)
{
    CLEANUP(free_text) char *parent = joined(path, "");
    for (size_t n = strlen(parent); n > 1 && parent[n - 1] == '/'; n--)
        parent[n - 1] = '\0';
    char *slash = strrchr(parent, '/');
    if (!slash)
        return file_fsync_dir(".", err);
    slash[slash == parent] = '\0';
    return file_fsync_dir(parent, err);
}

/* In "<folder>.new", then renamed: at no instant does `folder` hold half an environment. */
static int create_whole(const char *folder, const struct kv_conf *conf, struct err *err)
{
    CLEANUP(free_text) char *fresh = joined(folder, ".new");
    int r = file_exists(fresh) ? file_remove_tree(fresh, err) : 0;
    if (r == 0)
        r = file_mkdirs(fresh, err);
    MDB_env *env;
    if (r < 0 || (r = open_env(&env, fresh, DEFAULT_MAP_BYTES, err)) < 0)
        return r;
    struct kv scratch = {0};
    r = create_dbs(&scratch, env, conf, err);
    int rc = r == 0 ? mdb_env_sync(env, 1) : 0;
    mdb_env_close(env);
    if (rc != 0)
        r = mdb_err(err, rc, "sync");
    if (r == 0)
        r = file_fsync_dir(fresh, err);
    CLEANUP(free_text) char *lock = joined(folder, "/lock.mdb");
    if (r == 0)
        r = file_unlink(lock, err); /* without its data.mdb it means nothing */
    if (r == 0)
        r = file_rename(fresh, folder, err); /* an empty folder may be there */
    if (r == 0)
        r = sync_parent(folder, err);
    return r;
}

/* What is there may be the work of a process that was killed in the middle of a commit or of the
 * creation: seen by us, not yet by the disk. */
static int make_durable(struct kv *kv, const char *folder, struct err *err)
{
    int rc = mdb_env_sync(kv->env, 1);
    return rc == 0 ? sync_parent(folder, err) : mdb_err(err, rc, "sync");
}

/* Reads past the end of a file that was cut off would be a signal.  Zeros are no page of a tree, so
 * that what is missing is an error. */
static int fill_up(struct kv *kv, const char *data, struct err *err)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct file_info file;
    mdb_env_info(kv->env, &info);
    mdb_env_stat(kv->env, &stat);
    uint64_t bytes = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    int r = file_stat(data, &file, err);
    if (r < 0 || file.bytes >= bytes)
        return r;
    int fd = file_open(data, FILE_WRITE, err);
    if (fd < 0)
        return fd;
    r = file_truncate(fd, bytes, err);
    file_close(fd);
    return r;
}

static int open_dbs(struct kv *kv, struct err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return mdb_err(err, rc, "begin");
    for (unsigned i = 0; i < kv->n_dbs && rc == 0; i++)
        rc = mdb_dbi_open(txn, kv->dbs[i], 0, &kv->dbis[i]);
    if (rc == 0)
        rc = mdb_txn_commit(txn); /* keeps the handles */
    else
        mdb_txn_abort(txn);
    return rc == 0 ? 0 : mdb_err(err, rc, "open database");
}

/* LMDB does not tell where its map is, but a value of the tree of databases lies in a leaf, a leaf
 * says which page it is, and the map begins at a page of the machine. */
static const char *find_map(struct kv *kv)
{
    MDB_txn *txn;
    MDB_dbi names;
    MDB_val k = val_of(sv_of(kv->dbs[0])), v;
    if (kv->page_bytes > (uint32_t)sysconf(_SC_PAGESIZE) ||
        mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn) != 0)
        return NULL;
    const char *map = NULL;
    if (mdb_dbi_open(txn, NULL, 0, &names) == 0 && mdb_get(txn, names, &k, &v) == 0) {
        const char *page = (const char *)v.mv_data - (uintptr_t)v.mv_data % kv->page_bytes;
        map = page - ld_le64(page) * kv->page_bytes;
    }
    mdb_txn_abort(txn);
    return map;
}

/* A map smaller than what is in the file would fail reads: LMDB takes the larger of the two. */
static void note_map(struct kv *kv)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(kv->env, &info);
    mdb_env_stat(kv->env, &stat);
    kv->map_bytes = info.me_mapsize;
    kv->page_bytes = stat.ms_psize;
    kv->map = find_map(kv);
}

/* kv->env is NULL before, and after a failure. */
static int open_all(struct kv *kv, uint64_t map_bytes, bool settle, struct err *err)
{
    CLEANUP(free_text) char *data = joined(kv->folder, "/data.mdb");
    int r = open_env(&kv->env, kv->folder, map_bytes, err);
    if (r < 0)
        return r;
    if (settle)
        r = make_durable(kv, kv->folder, err);
    if (r == 0)
        r = fill_up(kv, data, err);
    if (r == 0)
        r = open_dbs(kv, err);
    if (r < 0) {
        mdb_env_close(TAKE(kv->env));
        return r;
    }
    note_map(kv);
    kv->n_opens++;
    return 0;
}

static int look(const char *folder, struct kv_seen *ret, struct err *err)
{
    CLEANUP(free_text) char *data = joined(folder, "/data.mdb");
    struct stat st;
    *ret = (struct kv_seen){0};
    if (file_faulted(FILE_OP_STAT, data, -1) || stat(data, &st) != 0)
        return err_set(err, -errno, "stat '%s': %s", data, strerror(errno));
    *ret = (struct kv_seen){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .bytes = (uint64_t)st.st_size,
        .mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
    };
    return 0;
}

void kv_look(struct kv *kv, struct kv_seen *ret)
{
    look(kv->folder, ret, NULL);
}

/* One environment is open once: by device and inode of its file. */
static int claim(struct kv *kv, struct kv_seen *ret_now, struct err *err)
{
    int r = look(kv->folder, ret_now, err);
    if (r < 0)
        return r;
    kv->dev = ret_now->dev;
    kv->ino = ret_now->ino;
    if (!register_env(kv))
        return err_set(err, ERR_INVALID, "it is open already in this process");
    return 0;
}

/* --- the seal --------------------------------------------------------------------------- */

/* Is this the file that was looked at before, is its checksum right, or does it pass a check? */
static int prove(struct kv *kv, const struct kv_conf *conf, const struct kv_seen *now,
                 struct err *err)
{
    CLEANUP(free_text) char *path = joined(kv->folder, "/sum");
    kv->has_sum = file_exists(path);
    if (conf->seen && memcmp(conf->seen, now, sizeof *now) == 0) {
        atomic_store(&kv->sealed, kv->has_sum);
        return 0;
    }
    enum kv_sum sum;
    int r = kv_sum_check(kv->folder, &sum, err);
    if (r < 0)
        return r;
    atomic_store(&kv->sealed, sum == KV_SUM_GOOD);
    return sum == KV_SUM_GOOD || !conf->check ? 0 : conf->check(conf->check_ctx, kv->folder, err);
}

/* With write_mu held, before anything is written. */
static int break_seal(struct kv *kv, struct err *err)
{
    if (!kv->has_sum)
        return 0;
    int r = kv_sum_break(kv->folder, err);
    if (r < 0)
        return err_context(err, r, "unseal '%s'", kv->folder);
    kv->has_sum = false;
    atomic_store(&kv->sealed, false);
    return 0;
}

int kv_seal(struct kv *kv, kv_check_fn *check, void *ctx, struct err *err)
{
    MUTEX_GUARD(&kv->write_mu);
    if (atomic_load(&kv->sealed))
        return 0;
    int r = check ? check(ctx, kv->folder, err) : 0;
    if (r == 0) {
        kv->has_sum = true; /* or half of one */
        r = kv_sum_write(kv->folder, err);
    }
    if (r < 0)
        return err_context(err, r, "seal '%s'", kv->folder);
    atomic_store(&kv->sealed, true);
    return 0;
}

bool kv_is_sealed(struct kv *kv)
{
    return atomic_load(&kv->sealed);
}

/* --- open and close --------------------------------------------------------------------- */

static struct kv *kv_new(const char *folder, const struct kv_conf *conf)
{
    struct kv *kv = mem_zalloc(1, sizeof *kv);
    rwlock_init(&kv->map_lock);
    mutex_init(&kv->write_mu);
    kv->folder = joined(folder, "");
    kv->dbs = conf->dbs;
    kv->n_dbs = conf->n_dbs;
    return kv;
}

static void kv_free(struct kv *kv)
{
    rwlock_deinit(&kv->map_lock);
    mutex_deinit(&kv->write_mu);
    free(kv->folder);
    free(kv);
}

static int open_existing(struct kv *kv, const struct kv_conf *conf, bool is_new, struct err *err)
{
    struct kv_seen now;
    int r = claim(kv, &now, err);
    if (r < 0)
        return r;
    if (!is_new)
        r = prove(kv, conf, &now, err);
    if (r == 0)
        r = open_all(kv, conf->map_bytes ? conf->map_bytes : DEFAULT_MAP_BYTES, conf->settle, err);
    if (r < 0)
        unregister_env(kv);
    return r;
}

int kv_open(struct kv **ret, const char *folder, const struct kv_conf *conf, struct err *err)
{
    assert(conf->n_dbs <= KV_MAX_DBS);
    bool is_new = !kv_exists(folder);
    int r = 0;
    if (is_new && conf->must_exist)
        return err_set(err, -ENOENT, "there is no data.mdb in '%s'", folder);
    if (is_new)
        r = create_whole(folder, conf, err);
    if (r < 0)
        return err_context(err, r, "create '%s'", folder);
    struct kv *kv = kv_new(folder, conf);
    r = open_existing(kv, conf, is_new, err);
    if (r < 0) {
        kv_free(kv);
        return err_context(err, r, "open '%s'", folder);
    }
    *ret = kv;
    return 0;
}

void kv_close(struct kv *kv)
{
    if (!kv)
        return;
    if (kv->env)
        mdb_env_close(kv->env);
    unregister_env(kv);
    kv_free(kv);
}

/* LMDB gives an environment up when the page that ends a commit cannot be written.  What the disk
 * has is whole, old or new. */
static int open_again(struct kv *kv, uint64_t seen_opens, struct err *err)
{
    rwlock_wrlock(&kv->map_lock);
    int r = 0;
    if (kv->n_opens == seen_opens) {
        if (kv->env)
            mdb_env_close(TAKE(kv->env));
        r = open_all(kv, kv->map_bytes, true, err);
    }
    rwlock_unlock(&kv->map_lock);
    return r < 0 ? err_context(err, r, "open '%s' again", kv->folder) : 0;
}

/* With map_lock held shared, or < 0 without.  flags: of mdb_txn_begin. */
static int begin(struct kv *kv, unsigned flags, MDB_txn **ret, struct err *err)
{
    for (int tries = 0;; tries++) {
        rwlock_rdlock(&kv->map_lock);
        uint64_t seen_opens = kv->n_opens;
        int rc = kv->env ? mdb_txn_begin(kv->env, NULL, flags, ret) : MDB_PANIC;
        if (rc == 0)
            return 0;
        rwlock_unlock(&kv->map_lock);
        if (rc != MDB_PANIC || tries > 0)
            return mdb_err(err, rc, "begin");
        int r = open_again(kv, seen_opens, err);
        if (r < 0)
            return r;
    }
}

uint64_t kv_map_bytes(struct kv *kv)
{
    rwlock_rdlock(&kv->map_lock);
    uint64_t n = kv->map_bytes;
    rwlock_unlock(&kv->map_lock);
    return n;
}

int kv_read_begin(struct kv *kv, struct kv_txn *ret, struct err *err)
{
    *ret = (struct kv_txn){.kv = kv};
    int r = begin(kv, MDB_RDONLY, &ret->txn, err);
    if (r < 0)
        return r;
    MDB_envinfo info;
    mdb_env_info(kv->env, &info);
    ret->end_bytes = ((uint64_t)info.me_last_pgno + 1) * kv->page_bytes;
    return 0;
}

void kv_read_end(struct kv_txn *t)
{
    mdb_txn_abort(t->txn);
    rwlock_unlock(&t->kv->map_lock);
}

static int grow_map(struct kv *kv, uint64_t seen_bytes, struct err *err)
{
    rwlock_wrlock(&kv->map_lock);
    int rc = 0;
    if (kv->env && kv->map_bytes == seen_bytes) {
        rc = mdb_env_set_mapsize(kv->env, seen_bytes * 2);
        if (rc == 0)
            note_map(kv);
    }
    rwlock_unlock(&kv->map_lock);
    return rc == 0 ? 0 : mdb_err(err, rc, "grow map");
}

/* One attempt; *ret_full tells a full map from other failures, *ret_bytes its size. */
static int write_once(struct kv *kv, kv_write_fn *fn, void *ctx, bool *ret_full,
                      uint64_t *ret_bytes, struct err *err)
{
    struct kv_txn t = {.kv = kv, .writes = true};
    *ret_full = false;
    int r = begin(kv, 0, &t.txn, err);
    if (r < 0)
        return r;
    *ret_bytes = t.end_bytes = kv->map_bytes;
    r = fn(ctx, &t, err);
    if (r < 0) {
        mdb_txn_abort(t.txn);
        *ret_full = t.map_full;
    } else {
        int rc = mdb_txn_commit(t.txn);
        *ret_full = rc == MDB_MAP_FULL;
        r = rc == 0 ? 0 : mdb_err(err, rc, "commit");
    }
    rwlock_unlock(&kv->map_lock);
    return r;
}

int kv_write(struct kv *kv, kv_write_fn *fn, void *ctx, struct err *err)
{
    MUTEX_GUARD(&kv->write_mu);
    int broken = break_seal(kv, err);
    if (broken < 0)
        return broken;
    for (;;) {
        uint64_t seen_bytes = 0;
        bool full;
        int r = write_once(kv, fn, ctx, &full, &seen_bytes, err);
        if (r >= 0 || !full)
            return r;
        r = grow_map(kv, seen_bytes, err);
        if (r < 0)
            return r;
    }
}

/* Pages say how long their keys and values are.  What a writer changed lies outside of the map. */
static int check_in_map(const struct kv_txn *t, MDB_val v, struct err *err)
{
    uintptr_t map = (uintptr_t)t->kv->map, at = (uintptr_t)v.mv_data;
    bool inside = at >= map && at - map < t->kv->map_bytes;
    if (!map ||
        (inside ? at - map <= t->end_bytes && v.mv_size <= t->end_bytes - (at - map) : t->writes))
        return 0;
    return err_set(err, ERR_CORRUPT, "lmdb: %zu bytes reach out of the file", v.mv_size);
}

int kv_get(struct kv_txn *t, unsigned db, struct str_view key, struct str_view *ret,
           struct err *err)
{
    MDB_val k = val_of(key), v;
    int rc = mdb_get(t->txn, t->kv->dbis[db], &k, &v);
    if (rc == MDB_NOTFOUND)
        return KV_NONE;
    if (rc != 0)
        return mdb_err(err, rc, "get");
    int r = check_in_map(t, v, err);
    *ret = view_of(v);
    return r;
}

static int write_result(struct kv_txn *t, int rc, const char *what, struct err *err)
{
    if (rc == 0)
        return 0;
    if (rc == MDB_MAP_FULL)
        t->map_full = true;
    return mdb_err(err, rc, what);
}

int kv_put(struct kv_txn *t, unsigned db, struct str_view key, struct str_view value,
           struct err *err)
{
    MDB_val k = val_of(key), v = val_of(value);
    return write_result(t, mdb_put(t->txn, t->kv->dbis[db], &k, &v, 0), "put", err);
}

int kv_put_last(struct kv_txn *t, unsigned db, struct str_view key, struct str_view value,
                struct err *err)
{
    MDB_val k = val_of(key), v = val_of(value);
    int rc = mdb_put(t->txn, t->kv->dbis[db], &k, &v, MDB_APPEND);
    return rc == MDB_KEYEXIST ? kv_put(t, db, key, value, err) : write_result(t, rc, "put", err);
}

int kv_del(struct kv_txn *t, unsigned db, struct str_view key, struct err *err)
{
    MDB_val k = val_of(key);
    int rc = mdb_del(t->txn, t->kv->dbis[db], &k, NULL);
    return rc == MDB_NOTFOUND ? KV_NONE : write_result(t, rc, "delete", err);
}

int kv_cursor_open(struct kv_txn *t, unsigned db, struct kv_cursor *ret, struct err *err)
{
    *ret = (struct kv_cursor){.t = t};
    int rc = mdb_cursor_open(t->txn, t->kv->dbis[db], &ret->c);
    return rc == 0 ? 0 : mdb_err(err, rc, "cursor");
}

void kv_cursor_close(struct kv_cursor *c)
{
    if (c->c)
        mdb_cursor_close(c->c);
    c->c = NULL;
}

static int cursor_result(struct kv_cursor *c, int rc, MDB_val k, MDB_val v, struct err *err)
{
    if (rc == MDB_NOTFOUND)
        return KV_NONE;
    if (rc != 0)
        return mdb_err(err, rc, "cursor");
    c->key = view_of(k);
    c->value = view_of(v);
    int r = check_in_map(c->t, k, err);
    return r < 0 ? r : check_in_map(c->t, v, err);
}

int kv_seek(struct kv_cursor *c, struct str_view key, struct err *err)
{
    MDB_val k = val_of(key), v = {0};
    int rc = mdb_cursor_get(c->c, &k, &v, key.len ? MDB_SET_RANGE : MDB_FIRST);
    return cursor_result(c, rc, k, v, err);
}

int kv_next(struct kv_cursor *c, struct err *err)
{
    MDB_val k = {0}, v = {0};
    int rc = mdb_cursor_get(c->c, &k, &v, MDB_NEXT);
    return cursor_result(c, rc, k, v, err);
}

int kv_cursor_del(struct kv_cursor *c, struct err *err)
{
    int rc = mdb_cursor_del(c->c, 0);
    return rc == 0 ? 0 : mdb_err(err, rc, "cursor delete");
}
