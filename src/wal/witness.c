/* SPDX-License-Identifier: Apache-2.0 */
/* The file "newest" of the log's folder: two slots, 4,096 bytes apart so that no torn sector hits
 * both.  A write goes to the slot that is not the newest.
 *
 *  at  type     field of a slot
 *   0  8 bytes  HALOGNEW
 *   8  u16      major version: 1
 *  10  u16      minor version: 0
 *  12  u32      0
 *  16  uuid     installation
 *  32  u64      epoch
 *  40  u64      covered LSN
 *  48  12 bytes 0
 *  60  u32      crc of bytes 0 to 59 */
#include "wal/witness.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/file.h"

enum { SLOT_BYTES = 64, SLOT_STEP_BYTES = 4096, N_SLOTS = 2, CRC_AT = 60, VERSION_MAJOR = 1 };
static const char MAGIC[8] = {'H', 'A', 'L', 'O', 'G', 'N', 'E', 'W'};

static void path_of(const char *folder, struct buf *ret)
{
    buf_printf(ret, "%s/newest", folder);
    buf_put_u8(ret, 0);
}

static bool read_slot(const char *p, struct wal_witness *ret)
{
    if (memcmp(p, MAGIC, sizeof MAGIC) != 0 || ld_le16(p + 8) != VERSION_MAJOR ||
        ld_le32(p + CRC_AT) != crc32c(sv(p, CRC_AT)))
        return false;
    ret->installation = uuid_of_bytes((const uint8_t *)p + 16);
    ret->epoch = ld_le64(p + 32);
    ret->covered_lsn = ld_le64(p + 40);
    return true;
}

/* The newest slot that checks; *ret_slot its number. */
static int read_newest(int fd, struct wal_witness *ret, unsigned *ret_slot, struct err *err)
{
    char bytes[SLOT_STEP_BYTES + SLOT_BYTES];
    int64_t got = file_pread(fd, bytes, sizeof bytes, 0, err);
    int found = WITNESS_NONE;
    if (got < 0)
        return (int)got;
    for (unsigned i = 0; i < N_SLOTS && i * SLOT_STEP_BYTES + SLOT_BYTES <= got; i++) {
        struct wal_witness w;
        if (!read_slot(bytes + i * SLOT_STEP_BYTES, &w) ||
            (found == WITNESS_OK && w.epoch <= ret->epoch))
            continue;
        *ret = w;
        *ret_slot = i;
        found = WITNESS_OK;
    }
    return found;
}

int witness_read(const char *folder, struct wal_witness *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    unsigned slot;
    path_of(folder, &path);
    int fd = file_open(path.p, FILE_READ, err);
    if (fd == -ENOENT)
        return WITNESS_NONE;
    if (fd < 0)
        return fd;
    int r = read_newest(fd, ret, &slot, err);
    file_close(fd);
    return r;
}

static void put_slot(char slot[SLOT_BYTES], const struct wal_witness *w)
{
    memset(slot, 0, SLOT_BYTES);
    memcpy(slot, MAGIC, sizeof MAGIC);
    st_le16(slot + 8, VERSION_MAJOR);
    memcpy(slot + 16, w->installation.b, UUID_BYTES);
    st_le64(slot + 32, w->epoch);
    st_le64(slot + 40, w->covered_lsn);
    st_le32(slot + CRC_AT, crc32c(sv(slot, CRC_AT)));
}

int witness_write(const char *folder, const struct wal_witness *w, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    char slot[SLOT_BYTES];
    struct wal_witness newest;
    unsigned at = N_SLOTS - 1;
    path_of(folder, &path);
    put_slot(slot, w);
    int fd = file_open(path.p, FILE_CREATE, err);
    if (fd < 0)
        return err_context(err, fd, "WAL witness");
    int r = read_newest(fd, &newest, &at, err);
    if (r >= 0)
        r = file_pwrite_all(fd, sv(slot, sizeof slot), (at + 1) % N_SLOTS * SLOT_STEP_BYTES, err);
    if (r == 0)
        r = file_fdatasync(fd, err);
    if (r == 0) /* an earlier try may have made the name and failed to sync it */
        r = file_fsync_dir(folder, err);
    file_close(fd);
    return r < 0 ? err_context(err, r, "WAL witness") : 0;
}
