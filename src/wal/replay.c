/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log again.
 *
 * What the log must give back is everything up to the newest LSN that anybody knows to have been
 * synced, less what stands in segments.  Three places know: later groups of a file (synced_lsn),
 * the header of the next file (prev_end_lsn), and the witness.  None of them is asked whether a
 * file is there: the LSNs of each file begin where the one before it ended, by the word of its
 * header, so a file that is missing, empty, or an older copy of itself leaves a hole in the
 * numbers, first in order or last.
 *
 * Where bytes stop to check there are hence two cases.  Behind the newest synced LSN it is the torn
 * tail, written and never acknowledged: left out in silence.  Before it is a hole, reported with
 * its LSNs unless segments cover it; reading goes on behind it.  The header of the next file also
 * says what to leave out: a group behind the end that an earlier recovery accepted never comes
 * back. */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "wal/files.h"
#include "wal/record.h"
#include "wal/wal.h"
#include "wal/witness.h"

struct replay_file {
    uint64_t epoch, prev_end_lsn, end_lsn; /* 0: not known */
    uint32_t number;
};

struct replay {
    struct uuid installation;
    const struct lsn_set *covered;
    uint64_t witness_lsn; /* 0: none */
    const struct wal_sink *to;
    struct wal_replayed *ret;
    const char *path;
};

/* No record can stand there: the rest of the last 64 bytes of a group.  Data folders of version
 * 0.1.0 may end what they cover inside of one. */
static bool is_padding(const struct lsn_span *s)
{
    return s->first % WAL_ALIGN_BYTES != 0 && wal_align(s->first, WAL_ALIGN_BYTES) >= s->end;
}

/* [first, end) was synced and cannot be read: what no segment covers of it is lost. */
static void note_hole(struct replay *r, uint64_t first, uint64_t end, const char *what)
{
    struct lsn_span gap;
    for (; lsn_set_gap(r->covered, first, end, &gap); first = gap.end) {
        if (is_padding(&gap))
            continue;
        r->ret->n_holes++;
        if (r->to->hole)
            r->to->hole(r->to->ctx, gap);
        LOG_ERROR("WAL: a part of the log that was synced cannot be read; what it held is lost, "
                  "unless the file comes back",
                  log_str("what", what), log_uint("first_epoch", wal_lsn_epoch(gap.first)),
                  log_uint("first_offset", wal_lsn_offset(gap.first)),
                  log_uint("end_epoch", wal_lsn_epoch(gap.end)),
                  log_uint("end_offset", wal_lsn_offset(gap.end)));
    }
}

/* Up to where the newest file was synced, by the word of its own groups and of the witness. */
static uint64_t synced_bytes(const struct replay *r, uint64_t epoch, struct str_view file)
{
    uint64_t lsn = r->witness_lsn;
    struct wal_group g;
    if (wal_lsn_epoch(lsn) != epoch)
        lsn = 0;
    for (uint64_t at = WAL_FILE_HEADER_BYTES; wal_next_group(file, epoch, at, &g); at = g.end)
        if (g.synced_lsn > lsn && wal_lsn_epoch(g.synced_lsn) == epoch)
            lsn = g.synced_lsn;
    return wal_lsn_offset(lsn);
}

static int deliver(struct replay *r, const struct wal_group *g, struct err *err)
{
    struct reader in = reader_of(g->payload);
    struct wal_record record;
    r->ret->n_bytes += g->payload.len;
    while (wal_next_record(&in, g, &record)) {
        if (record.type != WAL_RECORD_POLICY && lsn_set_has(r->covered, record.lsn))
            continue;
        r->ret->n_records++;
        int code = r->to->record(r->to->ctx, &record, err);
        if (code != 0)
            return code;
    }
    if (in.bad)
        note_hole(r, g->lsn, g->lsn + (g->end - g->at), r->path);
    return 0;
}

/* Delivers the groups of one file; sets *end to where its good bytes end. */
static int replay_groups(struct replay *r, const struct replay_file *f, struct str_view file,
                         uint64_t *end, struct err *err)
{
    uint64_t limit = f->end_lsn ? wal_lsn_offset(f->end_lsn) : WAL_MAX_OFFSET;
    uint64_t synced = f->end_lsn ? limit : synced_bytes(r, f->epoch, file);
    uint64_t at = WAL_FILE_HEADER_BYTES;
    struct wal_group g;
    int code = 0;
    while (code == 0 && at < limit) {
        bool found = wal_next_group(file, f->epoch, at, &g) && g.at < limit;
        if (at >= synced && (!found || g.at > at)) {
            r->ret->torn_bytes += found ? g.at - at : 0;
            break;
        }
        uint64_t good = found ? g.at : synced;
        if (good > at)
            note_hole(r, wal_lsn(f->epoch, at), wal_lsn(f->epoch, good), r->path);
        at = good;
        if (!found)
            break;
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

/* *ret_end: where the file ended. */
static int replay_file(struct replay *r, const struct replay_file *f, struct buf *scratch,
                       uint64_t *ret_end, struct err *err)
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
    *ret_end = end_lsn;
    return code;
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
    for (size_t i = 0; i < fs->n; i++)
        if (fs->v[i].epoch)
            v[n++] = (struct replay_file){.epoch = fs->v[i].epoch,
                                          .prev_end_lsn = fs->v[i].prev_end_lsn,
                                          .number = fs->v[i].number};
    qsort(v, n, sizeof *v, by_epoch);
    for (size_t i = 0; i + 1 < n; i++)
        if (wal_lsn_epoch(v[i + 1].prev_end_lsn) == v[i].epoch)
            v[i].end_lsn = v[i + 1].prev_end_lsn;
    *ret_n = n;
    return v;
}

/* What must have stood between the files that are there. */
static void check_chain(struct replay *r, const struct replay_file *f, uint64_t end_before)
{
    uint64_t expected = f->prev_end_lsn;
    /* A damaged header does not say where the file before it ended: at least whole files are
     * missed. */
    if (expected == 0 && end_before && f->epoch > wal_lsn_epoch(end_before) + 1)
        expected = wal_lsn(f->epoch, 0);
    if (expected > end_before)
        note_hole(r, end_before, expected, "a file is missing, or an older copy of itself");
}

static void raise_to(uint64_t *lsn, uint64_t to)
{
    if (to > *lsn)
        *lsn = to;
}

static int replay_files(struct replay *r, struct wal_files *fs, struct replay_file *v, size_t n,
                        char path[WAL_PATH_BYTES], struct err *err)
{
    CLEANUP(buf_deinit) struct buf scratch = BUF_INIT;
    struct lsn_span gap;
    uint64_t end = 0;
    int code = 0;
    for (size_t i = 0; i < n && code == 0; i++) {
        if (v[i].epoch >= r->ret->next_epoch)
            r->ret->next_epoch = v[i].epoch + 1;
        check_chain(r, &v[i], end);
        end = v[i].end_lsn ? v[i].end_lsn : wal_lsn(v[i].epoch + 1, 0);
        if (!lsn_set_gap(r->covered, wal_lsn(v[i].epoch, WAL_FILE_HEADER_BYTES), end, &gap))
            continue; /* all of it is in segments, and so is its end */
        wal_file_path(fs, v[i].number, path);
        code = replay_file(r, &v[i], &scratch, &end, err);
    }
    if (code == 0 && r->witness_lsn > end)
        note_hole(r, end, r->witness_lsn, "the newest file is missing, or an older copy of itself");
    if (wal_lsn_epoch(r->witness_lsn) >= r->ret->next_epoch)
        r->ret->next_epoch = wal_lsn_epoch(r->witness_lsn) + 1;
    /* The next file names this as the end before it, so that a hole is one at every later start. */
    raise_to(&r->ret->end_lsn, r->witness_lsn);
    if (r->covered->n)
        raise_to(&r->ret->end_lsn, r->covered->v[r->covered->n - 1].end);
    return code;
}

static int deliver_policy(void *ctx, struct str_view encoded, struct err *err)
{
    const struct wal_sink *to = ctx;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    buf_put_le64(&body, wal_policy_id(encoded));
    buf_put(&body, encoded);
    struct wal_record record = {.type = WAL_RECORD_POLICY, .body = buf_view(&body)};
    return to->record(to->ctx, &record, err);
}

int wal_replay(const struct wal_options *options, const struct lsn_set *covered,
               const struct wal_sink *to, struct wal_replayed *ret, struct err *err)
{
    char path[WAL_PATH_BYTES];
    CLEANUP(wal_files_deinit) struct wal_files fs;
    uint64_t newest = covered->n ? covered->v[covered->n - 1].end : 0;
    struct wal_sink sink = *to;
    *ret = (struct wal_replayed){.next_epoch = wal_lsn_epoch(newest) + 1};
    struct replay r = {options->installation, covered, 0, to, ret, path};
    int code = wal_files_open(&fs, options->folder, 0, err);
    if (code == 0)
        code = witness_read(options->witness, options->installation, &r.witness_lsn, err);
    if (code >= 0)
        code = witness_read_policies(options->witness, deliver_policy, &sink, err);
    if (code != 0)
        return code;
    size_t n = 0;
    struct replay_file *v = list_files(&fs, &n);
    code = replay_files(&r, &fs, v, n, path, err);
    free(v);
    return code;
}
