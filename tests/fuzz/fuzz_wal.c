/* SPDX-License-Identifier: Apache-2.0 */
/* First byte 0: the rest is a WAL file; else it is the payload of groups that are put into one.
 * Properties: groups and records stand in order and inside the file; what a record decodes to is
 * written as canonical records that decode to the same accepted entries. */
#include <assert.h>

#include "base/crc32c.h"
#include "model/limits.h"
#include "wal/record.h"
#include "wire/push.h"

enum { EPOCH = 7, MAX_ENTRIES = 100000 };

static struct arena policy_arena;

static const struct push_policy *any_policy(void *ctx, uint64_t id)
{
    static struct limits limits;
    static struct push_policy policy;
    if (policy_arena.used_bytes == 0) {
        limits_set_defaults(&limits, &policy_arena);
        push_policy_of_limits(&limits, &policy_arena, &policy);
    }
    return id & 1 ? &policy : NULL;
}

/* Streams, entries and their bytes, those accepted. */
static void put_accepted(struct buf *out, const struct push_batch *b)
{
    buf_put_str(out, b->tenant);
    buf_put_le64(out, (uint64_t)b->received_ns);
    for (size_t s = 0; s < b->n_streams; s++)
        for (size_t i = 0; i < b->streams[s].n_entries; i++) {
            const struct push_entry *e = &b->streams[s].entries[i];
            if (b->streams[s].rejected || e->rejected)
                continue;
            buf_put_str(out, b->streams[s].labels);
            buf_put_le64(out, b->streams[s].hash);
            buf_put_le64(out, (uint64_t)e->e.ts_ns);
            buf_put_str(out, e->e.line);
            buf_put_str(out, e->e.sm);
        }
}

static size_t count_entries(const struct push_batch *b)
{
    size_t n = 0;
    for (size_t s = 0; s < b->n_streams; s++)
        n += b->streams[s].n_entries;
    return n;
}

static void check_canonical(const struct push_batch *batch)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf record = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
    struct wal_cursor at = {0};
    put_accepted(&want, batch);
    for (bool first = true; wal_canonical_put(&record, batch, &at); buf_clear(&record)) {
        struct wal_record again = {.type = WAL_RECORD_CANONICAL, .body = buf_view(&record)};
        struct push_batch decoded;
        int r = wal_batch_decode(&again, any_policy, NULL, &arena, &decoded, NULL);
        assert(r == 0);
        CLEANUP(buf_deinit) struct buf piece = BUF_INIT, head = BUF_INIT;
        put_accepted(&piece, &decoded);
        decoded.n_streams = 0;
        put_accepted(&head, &decoded);
        buf_put(&got, first ? buf_view(&piece) : sv_from(buf_view(&piece), head.len));
        first = false;
    }
    assert(got.len == 0 || sv_eq(buf_view(&want), buf_view(&got)));
    if (got.len == 0) { /* nothing was accepted */
        struct push_batch none = *batch;
        CLEANUP(buf_deinit) struct buf head = BUF_INIT;
        none.n_streams = 0;
        put_accepted(&head, &none);
        assert(head.len == want.len);
    }
}

static void check_record(const struct wal_record *record)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct push_batch batch;
    struct err err = ERR_INIT;
    if (wal_batch_decode(record, any_policy, NULL, &arena, &batch, &err) < 0)
        assert(err.code < 0 && err.text[0]);
    else if (count_entries(&batch) <= MAX_ENTRIES)
        check_canonical(&batch);
}

static void check_file(struct str_view file, uint64_t epoch)
{
    struct wal_group g;
    uint64_t last_lsn = 0;
    for (uint64_t at = WAL_FILE_HEADER_BYTES; wal_next_group(file, epoch, at, &g); at = g.end) {
        assert(g.at >= at && g.at % WAL_ALIGN_BYTES == 0 && g.end > g.at);
        assert(g.payload.p == file.p + g.at + WAL_GROUP_HEADER_BYTES);
        assert(g.payload.p + g.payload.len <= file.p + file.len);
        struct reader in = reader_of(g.payload);
        struct wal_record record;
        while (wal_next_record(&in, &g, &record)) {
            assert(record.lsn > last_lsn);
            assert(record.body.p >= g.payload.p &&
                   record.body.p + record.body.len <= g.payload.p + g.payload.len);
            last_lsn = record.lsn;
            check_record(&record);
        }
    }
}

static void check_header(struct str_view file)
{
    struct wal_file_header h, again;
    if (wal_get_file_header(file, &h) != WAL_HEADER_GOOD)
        return;
    char bytes[WAL_FILE_HEADER_BYTES];
    wal_put_file_header(bytes, &h);
    enum wal_header_state state = wal_get_file_header(sv(bytes, sizeof bytes), &again);
    assert(state == WAL_HEADER_GOOD && again.epoch == h.epoch);
    assert(memcmp(again.uuid, h.uuid, WAL_UUID_BYTES) == 0);
    check_file(file, h.epoch);
}

/* Groups of the payload's two halves, so that what follows a group is tried as well. */
static void put_group(struct buf *file, struct str_view payload)
{
    char header[WAL_GROUP_HEADER_BYTES];
    struct wal_group g = {.lsn = wal_lsn(EPOCH, file->len), .n_records = 1, .payload = payload};
    wal_put_group_header(header, &g, crc32c(payload));
    buf_put_bytes(file, header, sizeof header);
    buf_put(file, payload);
    buf_pad_to(file, WAL_ALIGN_BYTES);
}

static void check_payload(struct str_view payload)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT;
    struct wal_group g;
    buf_fill(&file, 0, WAL_FILE_HEADER_BYTES);
    put_group(&file, payload);
    put_group(&file, sv_from(payload, payload.len / 2 / 8 * 8));
    bool found = wal_next_group(buf_view(&file), EPOCH, WAL_FILE_HEADER_BYTES, &g);
    assert(found && sv_eq(g.payload, payload));
    check_file(buf_view(&file), EPOCH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct str_view rest = sv((const char *)data + 1, len - 1);
    if (data[0])
        check_payload(rest);
    else
        check_header(rest);
    return 0;
}
