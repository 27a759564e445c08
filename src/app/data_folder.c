/* SPDX-License-Identifier: Apache-2.0 */
#include "app/data_folder.h"

#include <errno.h>

#include "base/file.h"
#include "store/kv.h"
#include "store/object/object.h"

int data_folder_lock(const struct app_conf *conf, int *ret_fd, struct err *err)
{
    const char *folder = conf->common.path_prefix;
    int r = file_mkdirs(folder, err);
    if (r < 0)
        return err_context(err, r, "common.path_prefix");
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    int fd = file_open(data_folder_path(conf, "lock", &path), FILE_CREATE, err);
    if (fd < 0)
        return fd;
    r = file_lock(fd, err);
    if (r < 0) {
        file_close(fd);
        return err_context(err, r, "another halogi works in '%s'", folder);
    }
    *ret_fd = fd;
    return 0;
}

const char *data_folder_path(const struct app_conf *conf, const char *name, struct buf *path)
{
    buf_clear(path);
    if (name[0] != '/')
        buf_printf(path, "%s/", conf->common.path_prefix);
    buf_printf(path, "%s", name);
    buf_put_u8(path, 0);
    return path->p;
}

const char *data_folder_objects(const struct app_conf *conf, struct buf *path)
{
    if (!*conf->common.chunks_directory)
        return data_folder_path(conf, "objects", path);
    buf_clear(path); /* chunks_directory is a path as it is, like path_prefix */
    buf_printf(path, "%s", conf->common.chunks_directory);
    buf_put_u8(path, 0);
    return path->p;
}

int data_folder_open_stores(const struct app_conf *conf, struct stores *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    int r = object_fs_open(&ret->local, data_folder_path(conf, "segments", &path), err);
    if (r < 0)
        return r;
    return object_fs_open(&ret->objects, data_folder_objects(conf, &path), err);
}

int data_folder_wal_owner(const struct app_conf *conf, struct uuid *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf folder = BUF_INIT;
    return wal_owner_of(data_folder_path(conf, conf->ingester.wal_dir, &folder), ret, err);
}

static int refuse_segment(void *ctx, const struct object_info *info, struct err *err)
{
    if (!sv_ends_with(info->key, SV(".seg")))
        return 0;
    return err_set(err, -EEXIST, "segment '%.*s'", SV_ARG(info->key));
}

int data_folder_check(const struct app_conf *conf, const struct stores *stores, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    if (kv_exists(data_folder_path(conf, "catalog", &path)))
        return 0;
    struct uuid owner;
    int r = object_list(stores->local, SV(""), refuse_segment, NULL, err);
    if (r == 0)
        r = object_list(stores->objects, SV(""), refuse_segment, NULL, err);
    if (r == 0 && (r = data_folder_wal_owner(conf, &owner, err)) == 0)
        r = err_set(err, -EEXIST, "the write-ahead log");
    if (r == WAL_NO_OWNER)
        return 0;
    if (r != -EEXIST && r != ERR_CORRUPT)
        return r;
    return err_context(err, r,
                       "'%s' is missing, but there is data that it must name: run `halogi "
                       "rebuild-index` with the same flags; found",
                       path.p);
}
