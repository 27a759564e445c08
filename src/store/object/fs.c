/* SPDX-License-Identifier: Apache-2.0 */
/* Object "a/b" is the file <root>/a/b.  Written as <root>/a/b.<n>.tmp, synced, renamed, and the
 * folder synced: a name that shows is whole and stays.  Keys never end in ".tmp", so what is left
 * over from a crash is known by its name and removed at open. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/file.h"
#include "store/object/object.h"

enum { MAX_DEPTH = 64 }; /* of folders when listing: keys have at most 256 parts, ours have 2 */

struct fs_store {
    struct object_store base;
    char *root;               /* fixed at init */
    _Atomic uint64_t n_temps; /* makes temporary names unique */
};

struct fs_writer {
    struct object_writer base;
    int fd;
    struct buf temp, path, folder; /* NUL-ended */
};

struct fs_reader {
    struct object_reader base;
    int fd;
};

static const struct object_ops fs_ops;

static void path_of(const struct fs_store *s, struct str_view key, struct buf *ret)
{
    buf_printf(ret, "%s/%.*s", s->root, SV_ARG(key));
    buf_put_u8(ret, 0);
}

static void writer_free(struct fs_writer *w)
{
    file_close(w->fd);
    buf_deinit(&w->temp);
    buf_deinit(&w->path);
    buf_deinit(&w->folder);
    free(w);
}

static int fs_create(struct object_store *store, struct str_view key, struct object_writer **ret,
                     struct err *err)
{
    struct fs_store *s = (struct fs_store *)store;
    struct fs_writer *w = mem_zalloc(1, sizeof *w);
    w->base.ops = &fs_ops;
    w->fd = -1;
    path_of(s, key, &w->path);
    buf_printf(&w->temp, "%.*s.%llu.tmp", (int)(w->path.len - 1), w->path.p,
               (unsigned long long)atomic_fetch_add(&s->n_temps, 1));
    buf_put_u8(&w->temp, 0);
    const char *slash = strrchr(w->path.p, '/');
    buf_put_bytes(&w->folder, w->path.p, (size_t)(slash - w->path.p));
    buf_put_u8(&w->folder, 0);

    int r = file_mkdirs(w->folder.p, err);
    if (r >= 0)
        r = w->fd = file_open(w->temp.p, FILE_TRUNCATE, err);
    if (r < 0) {
        writer_free(w);
        return r;
    }
    *ret = &w->base;
    return 0;
}

static int fs_write(struct object_writer *base, struct str_view data, struct err *err)
{
    return file_write_all(((struct fs_writer *)base)->fd, data, err);
}

static void fs_abort(struct object_writer *base)
{
    struct fs_writer *w = (struct fs_writer *)base;
    file_unlink(w->temp.p, NULL);
    writer_free(w);
}

static int fs_commit(struct object_writer *base, struct err *err)
{
    struct fs_writer *w = (struct fs_writer *)base;
    int r = file_fsync(w->fd, err);
    if (r == 0)
        r = file_rename(w->temp.p, w->path.p, err);
    if (r < 0) {
        fs_abort(base);
        return r;
    }
    r = file_fsync_dir(w->folder.p, err);
    writer_free(w);
    return r;
}

static int fs_open(struct object_store *store, struct str_view key, struct object_reader **ret,
                   struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    path_of((struct fs_store *)store, key, &path);
    int fd = file_open(path.p, FILE_READ, err);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return err_set(err, ERR_NOT_FOUND, "no object '%.*s'", SV_ARG(key));
    if (fd < 0)
        return fd;
    uint64_t bytes = 0;
    int r = file_size(fd, &bytes, err);
    if (r < 0) {
        file_close(fd);
        return r;
    }
    struct fs_reader *o = mem_zalloc(1, sizeof *o);
    o->base = (struct object_reader){&fs_ops, bytes};
    o->fd = fd;
    *ret = &o->base;
    return 0;
}

static int fs_pread(struct object_reader *base, void *to, size_t len, uint64_t at, struct err *err)
{
    return file_pread_all(((struct fs_reader *)base)->fd, to, len, at, err);
}

static void fs_close(struct object_reader *base)
{
    file_close(((struct fs_reader *)base)->fd);
    free(base);
}

/* One walk of a folder and those below it.  `path` and `key` grow and shrink with the depth. */
struct fs_walk {
    struct buf path, key;
    unsigned depth;
    int (*on_file)(struct fs_walk *w, struct err *err);
    struct str_view prefix;
    object_list_fn *fn;
    void *ctx;
};

struct found_name {
    struct str_view name;
    bool is_dir;
};
struct found_names {
    struct arena arena;
    struct found_name *v;
    size_t n, cap;
};

static int collect_name(void *ctx, const char *name, bool is_dir, struct err *err)
{
    struct found_names *found = ctx;
    found->v = mem_grow(found->v, &found->cap, found->n + 1, sizeof *found->v);
    /* A folder's objects are "name/...": sorted as such, the walk is in key order. */
    struct str_view copy = arena_printf(&found->arena, "%s%s", name, is_dir ? "/" : "");
    found->v[found->n++] = (struct found_name){copy, is_dir};
    return 0;
}

static int cmp_found(const void *a, const void *b)
{
    return sv_cmp(((const struct found_name *)a)->name, ((const struct found_name *)b)->name);
}

static int walk_folder(struct fs_walk *w, struct err *err);

/* May a key that starts with w->key (a folder's, with its slash) have the prefix? */
static bool folder_may_hold_prefix(const struct fs_walk *w)
{
    struct str_view key = buf_view(&w->key);
    return sv_starts_with(key, w->prefix) || sv_starts_with(w->prefix, key);
}

static int walk_entry(struct fs_walk *w, const struct found_name *f, struct err *err)
{
    size_t path_len = w->path.len, key_len = w->key.len;
    buf_put(&w->path, f->name);
    buf_put(&w->key, f->name);
    int r = 0;
    if (!f->is_dir)
        r = w->on_file(w, err);
    else if (folder_may_hold_prefix(w) && w->depth < MAX_DEPTH)
        r = walk_folder(w, err);
    w->path.len = path_len;
    w->key.len = key_len;
    return r;
}

static int walk_folder(struct fs_walk *w, struct err *err)
{
    struct found_names found = {0};
    buf_put_u8(&w->path, 0);
    w->path.len--;
    int r = file_list_dir(w->path.p, collect_name, &found, err);
    if (r == -ENOENT)
        r = 0; /* removed meanwhile */
    if (found.n > 1)
        qsort(found.v, found.n, sizeof *found.v, cmp_found);
    w->depth++;
    for (size_t i = 0; r == 0 && i < found.n; i++)
        r = walk_entry(w, &found.v[i], err);
    w->depth--;
    free(found.v);
    arena_deinit(&found.arena);
    return r;
}

static int walk(struct fs_store *s, struct fs_walk *w, struct err *err)
{
    buf_printf(&w->path, "%s/", s->root);
    int r = walk_folder(w, err);
    buf_deinit(&w->path);
    buf_deinit(&w->key);
    return r;
}

static int show_file(struct fs_walk *w, struct err *err)
{
    struct str_view key = buf_view(&w->key);
    if (!sv_starts_with(key, w->prefix) || !object_key_valid(key))
        return 0;
    buf_put_u8(&w->path, 0);
    w->path.len--;
    struct file_info info;
    int r = file_stat(w->path.p, &info, err);
    if (r == -ENOENT)
        return 0; /* deleted meanwhile */
    if (r < 0)
        return r;
    return w->fn(w->ctx, &(struct object_info){key, info.bytes, info.mtime_ns}, err);
}

static int fs_list(struct object_store *store, struct str_view prefix, object_list_fn *fn,
                   void *ctx, struct err *err)
{
    struct fs_walk w = {.on_file = show_file, .prefix = prefix, .fn = fn, .ctx = ctx};
    return walk((struct fs_store *)store, &w, err);
}

/* The name's going is not synced: a file that comes back after power loss is one that no catalog
 * names, which is how every reader of the folder must treat it anyway. */
static int fs_del(struct object_store *store, struct str_view key, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    path_of((struct fs_store *)store, key, &path);
    return file_unlink(path.p, err);
}

static int fs_settle(struct object_store *store, struct str_view key, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, folder = BUF_INIT;
    path_of((struct fs_store *)store, key, &path);
    const char *slash = strrchr(path.p, '/');
    buf_put_bytes(&folder, path.p, (size_t)(slash - path.p));
    buf_put_u8(&folder, 0);
    int fd = file_open(path.p, FILE_READ, err);
    int r = fd < 0 ? fd : file_fsync(fd, err);
    file_close(fd);
    return r < 0 ? r : file_fsync_dir(folder.p, err);
}

/* Both names lie in one folder: the only use of it. */
static int fs_rename(struct object_store *store, struct str_view from, struct str_view to,
                     struct err *err)
{
    CLEANUP(buf_deinit) struct buf old_path = BUF_INIT, new_path = BUF_INIT, folder = BUF_INIT;
    path_of((struct fs_store *)store, from, &old_path);
    path_of((struct fs_store *)store, to, &new_path);
    const char *slash = strrchr(new_path.p, '/');
    buf_put_bytes(&folder, new_path.p, (size_t)(slash - new_path.p));
    buf_put_u8(&folder, 0);
    int r = file_rename(old_path.p, new_path.p, err);
    return r < 0 ? r : file_fsync_dir(folder.p, err);
}

static void fs_free(struct object_store *store)
{
    free(((struct fs_store *)store)->root);
    free(store);
}

static const struct object_ops fs_ops = {
    .create = fs_create,
    .write = fs_write,
    .commit = fs_commit,
    .abort = fs_abort,
    .open = fs_open,
    .pread = fs_pread,
    .close = fs_close,
    .list = fs_list,
    .del = fs_del,
    .rename = fs_rename,
    .settle = fs_settle,
    .free = fs_free,
};

static int remove_temp(struct fs_walk *w, struct err *err)
{
    if (!sv_ends_with(buf_view(&w->path), SV(".tmp")))
        return 0;
    buf_put_u8(&w->path, 0);
    w->path.len--;
    return file_unlink(w->path.p, err);
}

int object_fs_open(struct object_store **ret, const char *root, struct err *err)
{
    int r = file_mkdirs(root, err);
    if (r < 0)
        return r;
    struct fs_store *s = mem_zalloc(1, sizeof *s);
    s->base.ops = &fs_ops;
    s->root = mem_alloc(strlen(root) + 1);
    memcpy(s->root, root, strlen(root) + 1);
    struct fs_walk w = {.on_file = remove_temp};
    r = walk(s, &w, err);
    if (r < 0) {
        fs_free(&s->base);
        return err_context(err, r, "object store '%s'", root);
    }
    *ret = &s->base;
    return 0;
}
