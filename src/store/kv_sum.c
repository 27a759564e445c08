/* SPDX-License-Identifier: Apache-2.0 */
/* The file "sum":  0 8 bytes "HALOGSUM";  8 u32 version 1;  12 u32 page size;  16 u64 last
 * transaction;  24 u64 last page;  32 u64 bytes summed, from the start of data.mdb;  40 u32 CRC-32C
 * of them;  44 u32 CRC-32C of bytes 0 to 43.
 * Pages behind the last one are of no use, so the sum ends there, or where the file did: pages that
 * were freed before they were ever written may be missing. */
#include "store/kv_sum.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "store/kv_file.h"

enum { VERSION = 1, BODY_BYTES = 44, SUM_BYTES = 48, STEP_BYTES = 256 << 10 };
static const char magic[8] = "HALOGSUM";

struct sum_record {
    struct kv_file_info info;
    uint64_t bytes;
    uint32_t crc;
};

static void path_in(const char *folder, const char *name, struct buf *ret)
{
    buf_clear(ret);
    buf_printf(ret, "%s/%s", folder, name);
    buf_put_u8(ret, 0);
}

static int read_info(const char *data, struct kv_file_info *ret, struct err *err)
{
    struct kv_file *f = NULL;
    int r = kv_file_open(&f, data, err);
    if (r < 0)
        return r;
    *ret = kv_file_info(f);
    kv_file_close(f);
    return 0;
}

static int sum_bytes(const char *data, uint64_t bytes, uint32_t *ret, struct err *err)
{
    int fd = file_open(data, FILE_READ, err);
    if (fd < 0)
        return fd;
    char *step = mem_alloc(STEP_BYTES);
    uint32_t crc = 0;
    int r = 0;
    for (uint64_t at = 0; at < bytes && r == 0;) {
        size_t n = bytes - at < STEP_BYTES ? (size_t)(bytes - at) : STEP_BYTES;
        r = file_pread_all(fd, step, n, at, err);
        if (r == 0)
            crc = crc32c_extend(crc, sv(step, n));
        at += n;
    }
    free(step);
    file_close(fd);
    *ret = crc;
    return r;
}

static uint64_t used_bytes(const struct kv_file_info *info)
{
    uint64_t used = (info->last_page + 1) * info->page_bytes;
    return info->file_bytes < used ? info->file_bytes : used;
}

static void encode(struct buf *out, const struct sum_record *s)
{
    buf_put_bytes(out, magic, sizeof magic);
    buf_put_le32(out, VERSION);
    buf_put_le32(out, s->info.page_bytes);
    buf_put_le64(out, s->info.txn_id);
    buf_put_le64(out, s->info.last_page);
    buf_put_le64(out, s->bytes);
    buf_put_le32(out, s->crc);
    buf_put_le32(out, crc32c(buf_view(out)));
}

/* False for bytes that are no sum that this build knows. */
static bool decode(struct str_view v, struct sum_record *ret)
{
    struct reader in = reader_of(v);
    struct str_view word = rd_bytes(&in, sizeof magic);
    uint32_t version = rd_le32(&in);
    ret->info.page_bytes = rd_le32(&in);
    ret->info.txn_id = rd_le64(&in);
    ret->info.last_page = rd_le64(&in);
    ret->bytes = rd_le64(&in);
    ret->crc = rd_le32(&in);
    uint32_t crc = rd_le32(&in);
    return !in.bad && in.at == in.len && sv_eq(word, sv(magic, sizeof magic)) &&
           version == VERSION && crc == crc32c(sv_sub(v, 0, BODY_BYTES));
}

int kv_sum_write(const char *folder, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, record = BUF_INIT;
    struct sum_record s;
    path_in(folder, "data.mdb", &path);
    int r = read_info(path.p, &s.info, err);
    if (r < 0)
        return r;
    s.bytes = used_bytes(&s.info);
    r = sum_bytes(path.p, s.bytes, &s.crc, err);
    if (r < 0)
        return r;
    encode(&record, &s);
    path_in(folder, "sum", &path);
    return file_write_atomic(path.p, buf_view(&record), err);
}

int kv_sum_break(const char *folder, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    path_in(folder, "sum", &path);
    int r = file_unlink(path.p, err);
    return r < 0 ? r : file_fsync_dir(folder, err);
}

static int differs(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "data.mdb is not the file that was sealed");
}

static int compare(const char *data, const struct sum_record *s, struct err *err)
{
    struct kv_file_info now;
    int r = read_info(data, &now, err);
    if (r < 0)
        return r;
    if (now.page_bytes != s->info.page_bytes || now.txn_id != s->info.txn_id ||
        now.last_page != s->info.last_page || now.file_bytes < s->bytes)
        return differs(err);
    uint32_t crc;
    r = sum_bytes(data, s->bytes, &crc, err);
    return r == 0 && crc != s->crc ? differs(err) : r;
}

int kv_sum_check(const char *folder, enum kv_sum *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, record = BUF_INIT;
    struct sum_record s;
    *ret = KV_SUM_NONE;
    path_in(folder, "sum", &path);
    int r = file_exists(path.p) ? file_read_whole(path.p, SUM_BYTES, &record, NULL) : -ENOENT;
    if (r < 0 || !decode(buf_view(&record), &s))
        return 0;
    path_in(folder, "data.mdb", &path);
    r = compare(path.p, &s, err);
    if (r == 0)
        *ret = KV_SUM_GOOD;
    else if (r == ERR_CORRUPT)
        *ret = KV_SUM_BAD;
    return r;
}
