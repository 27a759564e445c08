/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/files.h"

#include <assert.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "wal/wal.h"

enum { ZERO_BYTES = 256 << 10 };
static const char zeros[ZERO_BYTES];

void wal_file_path(const struct wal_files *fs, uint32_t number, char out[WAL_PATH_BYTES])
{
    snprintf(out, WAL_PATH_BYTES, "%s/%08u.wal", fs->folder, number);
}

/* A damaged header leaves the groups to tell; the newest use is the one with the largest epoch. */
static uint64_t epoch_of_groups(struct str_view file)
{
    uint64_t newest = 0;
    uint64_t next = 0;
    for (uint64_t at = WAL_FILE_HEADER_BYTES; at + WAL_GROUP_HEADER_BYTES <= file.len; at = next) {
        struct wal_group g;
        uint64_t epoch = wal_lsn_epoch(ld_le64(file.p + at + 8));
        bool good = epoch < WAL_MAX_EPOCH && wal_group_at(file, epoch, at, &g);
        next =
            good ? g.end : at + WAL_ALIGN_BYTES; /* what a push wrote inside of one is no group */
        if (good && epoch > newest)
            newest = epoch;
    }
    return newest;
}

static int read_header(const char *path, struct wal_file_header *ret, bool *ret_good,
                       struct err *err)
{
    char first[WAL_FILE_HEADER_BYTES];
    int fd = file_open(path, FILE_READ, err);
    if (fd < 0)
        return fd;
    int64_t got = file_pread(fd, first, sizeof first, 0, err);
    file_close(fd);
    if (got < 0)
        return (int)got;
    enum wal_header_state state = wal_get_file_header(sv(first, (size_t)got), ret);
    if (state == WAL_HEADER_NEWER)
        return err_set(err, ERR_UNSUPPORTED, "WAL file '%s' was written by a newer version", path);
    *ret_good = state == WAL_HEADER_GOOD;
    return 0;
}

static int read_use(const char *path, struct wal_file *ret, struct err *err)
{
    struct wal_file_header h;
    bool good = false;
    int r = read_header(path, &h, &good, err);
    if (r < 0)
        return r;
    if (good) {
        ret->epoch = h.epoch;
        ret->prev_end_lsn = h.prev_end_lsn;
        ret->installation = uuid_of_bytes(h.uuid);
        return 0;
    }
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    r = file_read_whole(path, 2 * WAL_MAX_GROUP_BYTES, &whole, err);
    if (r == 0)
        ret->epoch = epoch_of_groups(buf_view(&whole));
    return r;
}

static struct wal_file *add(struct wal_files *fs, uint32_t number)
{
    fs->v = mem_grow(fs->v, &fs->cap, fs->n + 1, sizeof *fs->v);
    fs->v[fs->n] = (struct wal_file){.number = number};
    if (number >= fs->next_number)
        fs->next_number = number + 1;
    return &fs->v[fs->n++];
}

static int on_listed(void *ctx, const char *name, bool is_dir, struct err *err)
{
    struct wal_files *fs = ctx;
    unsigned number;
    int used = 0;
    if (is_dir || sscanf(name, "%8u.wal%n", &number, &used) != 1 || name[used] != '\0' || !used)
        return 0;
    char path[WAL_PATH_BYTES];
    wal_file_path(fs, number, path);
    struct wal_file *f = add(fs, number);
    struct file_info info;
    int r = file_stat(path, &info, err);
    if (r < 0)
        return r;
    f->bytes = info.bytes;
    r = read_use(path, f, err);
    f->end_lsn = wal_lsn(f->epoch + 1, 0);
    return r;
}

int wal_files_open(struct wal_files *fs, const char *folder, uint64_t file_bytes, struct err *err)
{
    *fs = (struct wal_files){.folder = strdup(folder), .file_bytes = file_bytes, .next_number = 1};
    assert(fs->folder);
    int r = file_mkdirs(folder, err);
    if (r == 0)
        r = file_list_dir(folder, on_listed, fs, err);
    /* A process that was killed while it made a file may not have come to this. */
    return r == 0 ? file_fsync_dir(folder, err) : r;
}

void wal_files_deinit(struct wal_files *fs)
{
    union {
        const char *borrowed;
        char *owned;
    } folder = {fs->folder};
    free(folder.owned);
    free(fs->v);
    *fs = (struct wal_files){0};
}

/* Written once, so that commits later change neither size nor extents. */
static int fill(int fd, uint64_t from, uint64_t to, struct err *err)
{
    int r = file_fallocate(fd, from, to - from, err);
    for (uint64_t at = from; r == 0 && at < to; at += ZERO_BYTES) {
        uint64_t n = to - at < ZERO_BYTES ? to - at : ZERO_BYTES;
        r = file_pwrite_all(fd, sv(zeros, n), at, err);
    }
    return r == 0 ? file_fsync(fd, err) : r;
}

static size_t find_free(const struct wal_files *fs)
{
    for (size_t i = 0; i < fs->n; i++)
        if (fs->v[i].epoch == 0)
            return i;
    return SIZE_MAX;
}

int wal_files_take(struct wal_files *fs, uint64_t epoch, uint32_t *ret_number, int *ret_fd,
                   struct err *err)
{
    size_t at = find_free(fs);
    char path[WAL_PATH_BYTES];
    wal_file_path(fs, at == SIZE_MAX ? fs->next_number : fs->v[at].number, path);
    int fd = file_open(path, FILE_CREATE, err);
    uint64_t bytes = 0;
    int r = fd < 0 ? fd : file_size(fd, &bytes, err);
    /* A new name may be that of a file which an earlier try made, could not sync and not remove. */
    bool is_new = at == SIZE_MAX;
    if (r >= 0 && (is_new || bytes < fs->file_bytes)) {
        r = fill(fd, is_new ? 0 : bytes, fs->file_bytes, err);
        if (r == 0)
            r = file_fsync_dir(fs->folder, err);
        bytes = fs->file_bytes;
    }
    if (r < 0) {
        file_close(fd);
        if (is_new && fd >= 0)
            file_unlink(path, NULL); /* half a file helps nobody, least of all a full disk */
        return err_context(err, r, "WAL file");
    }
    if (is_new) {
        add(fs, fs->next_number);
        at = fs->n - 1;
    }
    fs->v[at].epoch = epoch;
    fs->v[at].end_lsn = UINT64_MAX;
    fs->v[at].bytes = bytes;
    *ret_number = fs->v[at].number;
    *ret_fd = fd;
    return 0;
}

void wal_files_ended(struct wal_files *fs, uint32_t number, uint64_t bytes)
{
    for (size_t i = 0; i < fs->n; i++)
        if (fs->v[i].number == number) {
            fs->v[i].end_lsn = wal_lsn(fs->v[i].epoch, bytes < WAL_MAX_END ? bytes : WAL_MAX_END);
            if (bytes > fs->v[i].bytes)
                fs->v[i].bytes = bytes;
        }
}

static bool is_covered(const struct wal_file *f, const struct lsn_set *covered)
{
    struct lsn_span gap;
    return f->end_lsn != UINT64_MAX &&
           !lsn_set_gap(covered, wal_lsn(f->epoch, WAL_FILE_HEADER_BYTES), f->end_lsn, &gap);
}

void wal_files_covered(struct wal_files *fs, const struct lsn_set *covered)
{
    size_t n_free = 0;
    for (size_t i = 0; i < fs->n;) {
        struct wal_file *f = &fs->v[i];
        if (f->epoch != 0 && is_covered(f, covered))
            f->epoch = 0;
        bool oversized = f->bytes > fs->file_bytes;
        if (f->epoch == 0 && (oversized || ++n_free > WAL_MAX_FREE_FILES)) {
            char path[WAL_PATH_BYTES];
            struct err err = ERR_INIT;
            wal_file_path(fs, f->number, path);
            if (file_unlink(path, &err) < 0)
                LOG_WARN("WAL file not removed", log_str("err", err.text));
            *f = fs->v[--fs->n];
            continue;
        }
        i++;
    }
}

uint64_t wal_files_bytes_in_use(const struct wal_files *fs)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < fs->n; i++)
        sum += fs->v[i].epoch ? fs->v[i].bytes : 0;
    return sum;
}

int wal_owner_of(const char *folder, struct uuid *ret, struct err *err)
{
    CLEANUP(wal_files_deinit) struct wal_files fs = {0};
    int r = file_exists(folder) ? wal_files_open(&fs, folder, 0, err) : WAL_NO_OWNER;
    if (r != 0)
        return r;
    const struct wal_file *newest = NULL;
    bool has_use = false;
    for (size_t i = 0; i < fs.n; i++) {
        const struct wal_file *f = &fs.v[i];
        has_use |= f->epoch > 0;
        if (!uuid_eq(f->installation, (struct uuid){{0}}) && (!newest || f->epoch > newest->epoch))
            newest = f;
    }
    if (newest)
        *ret = newest->installation;
    else if (has_use)
        return err_set(err, ERR_CORRUPT, "the headers of all WAL files in '%s' are damaged",
                       folder);
    return newest ? 0 : WAL_NO_OWNER;
}
