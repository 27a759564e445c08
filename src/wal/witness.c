/* SPDX-License-Identifier: Apache-2.0 */
/* The file "newest": two slots, 4,096 bytes apart so that no torn sector hits
 * both.  A write goes to the slot that is not the newest.
 *
 *  at  type     field of a slot
 *   0  8 bytes  HALOGNEW
 *   8  u16      major version: 1
 *  10  u16      minor version: 0
 *  12  u32      0
 *  16  uuid     installation
 *  32  u64      synced LSN
 *  40  20 bytes 0
 *  60  u32      crc of bytes 0 to 59
 *
 * The file "policies", always written whole: for each u32 bytes, u32 crc, the encoded policy. */
#include "wal/witness.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/file.h"

enum { SLOT_BYTES = 64, SLOT_STEP_BYTES = 4096, N_SLOTS = 2, CRC_AT = 60, VERSION_MAJOR = 1 };
static const char MAGIC[8] = {'H', 'A', 'L', 'O', 'G', 'N', 'E', 'W'};

static void path_of(const char *folder, const char *name, struct buf *ret)
{
    buf_printf(ret, "%s/%s", folder, name);
    buf_put_u8(ret, 0);
}

static bool read_slot(const char *p, struct uuid installation, uint64_t *ret_lsn)
{
    *ret_lsn = ld_le64(p + 32);
    return memcmp(p, MAGIC, sizeof MAGIC) == 0 && ld_le16(p + 8) == VERSION_MAJOR &&
           ld_le32(p + CRC_AT) == crc32c(sv(p, CRC_AT)) &&
           memcmp(p + 16, installation.b, UUID_BYTES) == 0;
}

/* The newest slot that checks; *ret_slot its number. */
static int read_newest(int fd, struct uuid installation, uint64_t *ret_lsn, unsigned *ret_slot,
                       struct err *err)
{
    char bytes[SLOT_STEP_BYTES + SLOT_BYTES];
    int64_t got = file_pread(fd, bytes, sizeof bytes, 0, err);
    int found = WITNESS_NONE;
    if (got < 0)
        return (int)got;
    for (unsigned i = 0; i < N_SLOTS && i * SLOT_STEP_BYTES + SLOT_BYTES <= got; i++) {
        uint64_t lsn;
        if (!read_slot(bytes + i * SLOT_STEP_BYTES, installation, &lsn) ||
            (found == WITNESS_OK && lsn <= *ret_lsn))
            continue;
        *ret_lsn = lsn;
        *ret_slot = i;
        found = WITNESS_OK;
    }
    return found;
}

int witness_read(const char *folder, struct uuid installation, uint64_t *ret_synced_lsn,
                 struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    unsigned slot;
    path_of(folder, "newest", &path);
    int fd = file_open(path.p, FILE_READ, err);
    if (fd == -ENOENT)
        return WITNESS_NONE;
    if (fd < 0)
        return fd;
    int r = read_newest(fd, installation, ret_synced_lsn, &slot, err);
    file_close(fd);
    return r;
}

static int read_policies(const char *folder, struct buf *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    path_of(folder, "policies", &path);
    int r = file_read_whole(path.p, 2 * WITNESS_MAX_POLICIES_BYTES, ret, err);
    if (r == -ENOENT || r == ERR_TOO_LARGE) /* not ours, then; it is written anew */
        r = 0;
    return r;
}

int witness_open(struct witness *w, const char *folder, struct uuid installation, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    unsigned newest = N_SLOTS - 1;
    uint64_t lsn;
    path_of(folder, "newest", &path);
    *w = (struct witness){.fd = -1, .installation = installation, .folder = folder};
    int r = file_mkdirs(folder, err);
    if (r == 0)
        r = w->fd = file_open(path.p, FILE_CREATE, err);
    if (r >= 0)
        r = read_newest(w->fd, installation, &lsn, &newest, err);
    if (r >= 0) /* an earlier try may have made the name and failed to sync it */
        r = file_fsync_dir(folder, err);
    if (r >= 0)
        r = read_policies(folder, &w->policies, err);
    if (r < 0) {
        witness_close(w);
        return err_context(err, r, "WAL witness");
    }
    w->next_slot = (newest + 1) % N_SLOTS;
    return 0;
}

void witness_close(struct witness *w)
{
    file_close(w->fd);
    buf_deinit(&w->policies);
    *w = WITNESS_INIT;
}

int witness_write(struct witness *w, uint64_t synced_lsn, enum witness_how how, struct err *err)
{
    char slot[SLOT_BYTES] = {0};
    memcpy(slot, MAGIC, sizeof MAGIC);
    st_le16(slot + 8, VERSION_MAJOR);
    memcpy(slot + 16, w->installation.b, UUID_BYTES);
    st_le64(slot + 32, synced_lsn);
    st_le32(slot + CRC_AT, crc32c(sv(slot, CRC_AT)));
    int r = file_pwrite_all(w->fd, sv(slot, sizeof slot), w->next_slot * SLOT_STEP_BYTES, err);
    if (r == 0 && how == WITNESS_DURABLE)
        r = file_fdatasync(w->fd, err);
    if (r < 0)
        return err_context(err, r, "WAL witness");
    w->next_slot = (w->next_slot + 1) % N_SLOTS;
    return 0;
}

/* ---- policies ---- */

enum { POLICY_HEADER_BYTES = 8 };

int witness_each_policy(struct str_view file, witness_policy_fn *fn, void *ctx, struct err *err)
{
    for (struct reader in = reader_of(file); !reader_done(&in);) {
        uint32_t len = rd_le32(&in), crc = rd_le32(&in);
        struct str_view policy = rd_bytes(&in, len);
        if (in.bad)
            return 0; /* a damaged length: what follows cannot be told apart */
        if (crc != crc32c(policy))
            continue;
        int r = fn(ctx, policy, err);
        if (r != 0)
            return r;
    }
    return 0;
}

int witness_read_policies(const char *folder, witness_policy_fn *fn, void *ctx, struct err *err)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT;
    int r = read_policies(folder, &file, err);
    return r < 0 ? r : witness_each_policy(buf_view(&file), fn, ctx, err);
}

struct looking {
    struct str_view wanted;
    struct buf kept; /* all of them, for the next file */
};

static int look_at(void *ctx, struct str_view policy, struct err *err)
{
    struct looking *l = ctx;
    (void)err;
    buf_put_le32(&l->kept, (uint32_t)policy.len);
    buf_put_le32(&l->kept, crc32c(policy));
    buf_put(&l->kept, policy);
    return sv_eq(policy, l->wanted);
}

/* Without the oldest, until `room` more bytes have a place. */
static struct str_view newest_policies(struct str_view file, size_t room)
{
    while (file.len > 0 && file.len + room > WITNESS_MAX_POLICIES_BYTES)
        file = sv_from(file, POLICY_HEADER_BYTES + ld_le32(file.p));
    return file;
}

int witness_add_policy(struct witness *w, struct str_view encoded, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT, file = BUF_INIT;
    struct looking l = {.wanted = encoded};
    if (POLICY_HEADER_BYTES + encoded.len > WITNESS_MAX_POLICIES_BYTES)
        return 0;
    int found = witness_each_policy(buf_view(&w->policies), look_at, &l, err);
    if (!found) {
        look_at(&l, encoded, err);
        buf_put(&file, newest_policies(buf_view(&l.kept), 0));
        path_of(w->folder, "policies", &path);
        int r = file_write_atomic(path.p, buf_view(&file), err);
        if (r < 0) {
            buf_deinit(&l.kept);
            return err_context(err, r, "WAL witness");
        }
        buf_clear(&w->policies);
        buf_put(&w->policies, buf_view(&file));
    }
    buf_deinit(&l.kept);
    return 0;
}
