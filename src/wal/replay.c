/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log again.  Where a file's bytes stop to check there are two cases: the torn tail,
 * written but never acknowledged, which is left out in silence; and corruption of what was synced
 * once, which is reported.  What was synced is told by later groups of the file (synced_lsn) and by
 * the header of the next file (prev_end_lsn), which also says what to leave out: a group behind the
 * end that an earlier recovery accepted never comes back. */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "wal/files.h"
#include "wal/wal.h"

struct replay_file {
    uint64_t epoch, prev_end_lsn, end_lsn; /* 0: not known */
    uint32_t number;
};

struct replay {
    struct uuid installation;
    uint64_t from_lsn;
    wal_replay_fn *fn;
    void *ctx;
    struct wal_replayed *ret;
    const char *path;
};

static void note_corrupt(struct replay *r, uint64_t from, uint64_t to)
{
    r->ret->n_corrupt++;
    r->ret->corrupt_bytes += to - from;
    LOG_ERROR("WAL: bytes that were synced do not check; what they held is lost",
              log_str("file", r->path), log_uint("from", from), log_uint("to", to));
}

/* The largest LSN below which this file's own groups say that all was synced. */
static uint64_t proven_lsn(struct str_view file, uint64_t epoch)
{
    uint64_t proven = 0;
    struct wal_group g;
    for (uint64_t at = WAL_FILE_HEADER_BYTES; wal_next_group(file, epoch, at, &g); at = g.end)
        if (g.synced_lsn > proven)
            proven = g.synced_lsn;
    return proven;
}

static int deliver(struct replay *r, const struct wal_group *g, struct err *err)
{
    struct reader in = reader_of(g->payload);
    struct wal_record record;
    r->ret->n_bytes += g->payload.len;
    while (wal_next_record(&in, g, &record)) {
        if (record.lsn < r->from_lsn && record.type != WAL_RECORD_POLICY)
            continue;
        r->ret->n_records++;
        int code = r->fn(r->ctx, &record, err);
        if (code != 0)
            return code;
    }
    if (in.bad)
        note_corrupt(r, g->at, g->end);
    return 0;
}

/* Delivers the groups of one file; sets *end to where its good bytes end. */
static int replay_groups(struct replay *r, const struct replay_file *f, struct str_view file,
                         uint64_t *end, struct err *err)
{
    uint64_t limit = f->end_lsn ? wal_lsn_offset(f->end_lsn) : WAL_MAX_OFFSET;
    uint64_t proven = f->end_lsn ? f->end_lsn : proven_lsn(file, f->epoch);
    uint64_t at = WAL_FILE_HEADER_BYTES;
    struct wal_group g;
    int code = 0;
    while (code == 0 && at < limit) {
        bool found = wal_next_group(file, f->epoch, at, &g) && g.at < limit;
        uint64_t gap_end = found ? g.at : f->end_lsn ? limit : at;
        if (gap_end > at && wal_lsn(f->epoch, at) >= proven) {
            r->ret->torn_bytes += gap_end - at;
            break;
        }
        if (gap_end > at && wal_lsn(f->epoch, gap_end) > r->from_lsn)
            note_corrupt(r, at, gap_end);
        if (!found) {
            at = gap_end;
            break;
        }
        code = deliver(r, &g, err);
        at = g.end;
    }
    *end = at;
    return code;
}

/* What a killed process wrote may be in the page cache alone, and the repeat of a push that is
 * replayed is acknowledged at once. */
static int make_durable(const char *path, struct err *err)
{
    int fd = file_open(path, FILE_READ, err);
    int code = fd < 0 ? fd : file_fdatasync(fd, err);
    file_close(fd);
    return code;
}

static int replay_file(struct replay *r, const struct replay_file *f, struct buf *scratch,
                       struct err *err)
{
    buf_clear(scratch);
    int code = make_durable(r->path, err);
    if (code == 0)
        code = file_read_whole(r->path, 2 * WAL_MAX_GROUP_BYTES, scratch, err);
    if (code < 0)
        return err_context(err, code, "WAL replay");
    struct str_view file = buf_view(scratch);
    struct wal_file_header h;
    if (wal_get_file_header(file, &h) == WAL_HEADER_GOOD &&
        memcmp(h.uuid, r->installation.b, WAL_UUID_BYTES) != 0)
        return err_set(err, ERR_CORRUPT,
                       "WAL file '%s' belongs to another installation than the catalog", r->path);
    uint64_t end = 0;
    code = replay_groups(r, f, file, &end, err);
    uint64_t end_lsn =
        f->end_lsn ? f->end_lsn : wal_lsn(f->epoch, end < WAL_MAX_END ? end : WAL_MAX_END);
    if (end_lsn > r->ret->end_lsn)
        r->ret->end_lsn = end_lsn;
    return code;
}

static uint64_t prev_end_of(const char *path, uint64_t epoch)
{
    struct wal_file_header h;
    bool good = false;
    int r = wal_file_read_header(path, &h, &good, NULL);
    return r == 0 && good && h.epoch == epoch ? h.prev_end_lsn : 0;
}

static int by_epoch(const void *a, const void *b)
{
    const struct replay_file *x = a, *y = b;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* Files of some use, oldest first, each with its end where the next one tells it. */
static struct replay_file *list_files(const struct wal_files *fs, size_t *ret_n)
{
    struct replay_file *v = mem_zalloc(fs->n + 1, sizeof *v);
    size_t n = 0;
    char path[WAL_PATH_BYTES];
    for (size_t i = 0; i < fs->n; i++) {
        if (fs->v[i].epoch == 0)
            continue;
        wal_file_path(fs, fs->v[i].number, path);
        v[n++] = (struct replay_file){.epoch = fs->v[i].epoch,
                                      .prev_end_lsn = prev_end_of(path, fs->v[i].epoch),
                                      .number = fs->v[i].number};
    }
    qsort(v, n, sizeof *v, by_epoch);
    for (size_t i = 0; i + 1 < n; i++)
        if (wal_lsn_epoch(v[i + 1].prev_end_lsn) == v[i].epoch)
            v[i].end_lsn = v[i + 1].prev_end_lsn;
    *ret_n = n;
    return v;
}

int wal_replay(const char *folder, struct uuid installation, uint64_t from_lsn, wal_replay_fn *fn,
               void *ctx, struct wal_replayed *ret, struct err *err)
{
    char path[WAL_PATH_BYTES];
    CLEANUP(wal_files_deinit) struct wal_files fs;
    CLEANUP(buf_deinit) struct buf scratch = BUF_INIT;
    *ret = (struct wal_replayed){.next_epoch = wal_lsn_epoch(from_lsn) + 1};
    int code = wal_files_open(&fs, folder, 0, err);
    if (code < 0)
        return code;
    struct replay r = {installation, from_lsn, fn, ctx, ret, path};
    size_t n = 0;
    struct replay_file *v = list_files(&fs, &n);
    for (size_t i = 0; i < n && code == 0; i++) {
        if (v[i].epoch >= ret->next_epoch)
            ret->next_epoch = v[i].epoch + 1;
        if (wal_lsn(v[i].epoch + 1, 0) <= from_lsn)
            continue; /* all of it is in segments */
        wal_file_path(&fs, v[i].number, path);
        code = replay_file(&r, &v[i], &scratch, err);
    }
    free(v);
    return code;
}
