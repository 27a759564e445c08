/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files and folders, put together from single calls, so that faults reach each of them. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_whole(const char *path, uint64_t max_bytes, struct buf *ret, struct err *err)
{
    int fd = file_open(path, FILE_READ, err);
    if (fd < 0)
        return fd;
    size_t start = ret->len;
    int64_t r;
    for (;;) {
        size_t room = 64 << 10;
        if (room > max_bytes + 1 - (ret->len - start))
            room = (size_t)(max_bytes + 1 - (ret->len - start));
        char *to = buf_add(ret, room);
        ret->len -= room;
        r = file_pread(fd, to, room, ret->len - start, err);
        if (r <= 0)
            break;
        ret->len += (size_t)r;
        if (ret->len - start > max_bytes) {
            r = err_set(err, ERR_TOO_LARGE, "'%s' is over %llu bytes", path,
                        (unsigned long long)max_bytes);
            break;
        }
    }
    file_close(fd);
    if (r < 0)
        ret->len = start;
    return (int)r;
}

/* The folder that holds path: "." where path has no slash. */
static void parent_of(const char *path, struct buf *ret)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        buf_put(ret, SV("."));
    else
        buf_put_bytes(ret, path, slash == path ? 1 : (size_t)(slash - path));
    buf_put_u8(ret, 0);
}

int file_write_atomic(const char *path, struct str_view data, struct err *err)
{
    CLEANUP(buf_deinit) struct buf tmp = BUF_INIT, parent = BUF_INIT;
    buf_printf(&tmp, "%s.tmp", path);
    int fd = file_open(tmp.p, FILE_TRUNCATE, err);
    if (fd < 0)
        return fd;
    int r = file_write_all(fd, data, err);
    if (r == 0)
        r = file_fdatasync(fd, err);
    file_close(fd);
    if (r == 0)
        r = file_rename(tmp.p, path, err);
    if (r < 0) {
        file_unlink(tmp.p, NULL);
        return r;
    }
    parent_of(path, &parent);
    return file_fsync_dir(parent.p, err);
}

static int sync_parent(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf parent = BUF_INIT;
    parent_of(path, &parent);
    return file_fsync_dir(parent.p, err);
}

static int make_dir(const char *path, struct err *err)
{
    if (!file_faulted(FILE_OP_MKDIR, path, -1)) {
        if (mkdir(path, 0750) == 0) {
            int r = sync_parent(path, err);
            if (r < 0)
                rmdir(path); /* found there, it would pass for durable */
            return r;
        }
        struct stat st;
        if (errno == EEXIST && stat(path, &st) == 0) {
            /* Who made it may have been killed before its sync. */
            if (S_ISDIR(st.st_mode))
                return sync_parent(path, err);
            errno = ENOTDIR;
        }
    }
    int e = errno;
    return err_set(err, -e, "make folder '%s': %s", path, strerror(e));
}

int file_mkdirs(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf so_far = BUF_INIT;
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    for (size_t i = 1; i <= len; i++) {
        if (i < len && path[i] != '/')
            continue;
        buf_clear(&so_far);
        buf_put_bytes(&so_far, path, i);
        buf_put_u8(&so_far, 0);
        if (i < len && file_exists(so_far.p))
            continue;
        int r = make_dir(so_far.p, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool entry_is_dir(const char *folder, const struct dirent *e)
{
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", folder, e->d_name);
    struct stat st;
    return lstat(path.p, &st) == 0 && S_ISDIR(st.st_mode);
}

int file_list_dir(const char *path, file_list_fn *fn, void *ctx, struct err *err)
{
    struct dirent **names;
    int n = file_faulted(FILE_OP_LIST, path, -1) ? -1 : scandir(path, &names, NULL, alphasort);
    if (n < 0) {
        int e = errno;
        return err_set(err, -e, "list '%s': %s", path, strerror(e));
    }
    int r = 0;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            r = fn(ctx, name, entry_is_dir(path, names[i]), err);
        free(names[i]);
    }
    free(names);
    return r;
}

static int remove_entry(void *ctx, const char *name, bool is_dir, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", (const char *)ctx, name);
    return is_dir ? file_remove_tree(path.p, err) : file_unlink(path.p, err);
}

int file_remove_tree(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf own = BUF_INIT;
    buf_printf(&own, "%s", path);
    int r = file_list_dir(path, remove_entry, own.p, err);
    if (r == -ENOENT)
        return 0;
    return r == 0 ? file_rmdir(path, err) : r;
}
