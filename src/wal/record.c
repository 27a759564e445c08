/* SPDX-License-Identifier: Apache-2.0 */
/* Body record:       0 u8 decoder version   1 u8 format   2 u8 coding   3 zero
 *                    4 u64 policy id   12 i64 received   20 str tenant   varint decoded bytes
 *                    verdict   the body to the end
 * Verdict:           varint n, then n varints: accepted, refused, accepted, ... entries; the rest
 *                    is accepted
 * Canonical record:  0 i64 received   8 str tenant   then streams to the end
 * Stream:            str labels, then entries, then varint 0
 * Entry:             varint line bytes + 1, line, zigzag ts - ts of the entry before, str metadata
 * str: varint length and bytes. */
#include "wal/record.h"

#include <xxhash.h>

#include "wire/push.h"

enum { MAX_TENANT_BYTES = 1024, MAX_LINE_BYTES = 32 << 20, MAX_RECORD_DECODED_BYTES = 64 << 20 };

uint64_t wal_policy_id(struct str_view policy)
{
    return XXH64(policy.p, policy.len, 0);
}

bool wal_keeps_body(const struct push_batch *b)
{
    return b->body.bytes.p && b->body.decoded_bytes <= WAL_BODY_MAX_DECODED_BYTES &&
           b->body.bytes.len <= WAL_BODY_MAX_DECODED_BYTES;
}

static bool is_rejected(const struct push_batch *b, const struct wal_cursor *at)
{
    const struct push_stream *s = &b->streams[at->stream];
    return s->rejected || s->entries[at->entry].rejected;
}

/* False at the end of the batch. */
static bool cursor_settle(const struct push_batch *b, struct wal_cursor *at)
{
    while (at->stream < b->n_streams && at->entry >= b->streams[at->stream].n_entries)
        *at = (struct wal_cursor){at->stream + 1, 0};
    return at->stream < b->n_streams;
}

static void put_verdict(struct buf *out, const struct push_batch *b)
{
    CLEANUP(buf_deinit) struct buf runs = BUF_INIT;
    struct wal_cursor at = {0};
    uint64_t n_runs = 0, run = 0;
    bool refused = false;
    for (; cursor_settle(b, &at); at.entry++) {
        if (is_rejected(b, &at) != refused) {
            buf_put_varint(&runs, run);
            n_runs++;
            run = 0;
            refused = !refused;
        }
        run++;
    }
    if (refused) {
        buf_put_varint(&runs, run);
        n_runs++;
    }
    buf_put_varint(out, n_runs);
    buf_put(out, buf_view(&runs));
}

void wal_body_put_prefix(struct buf *out, const struct push_batch *b)
{
    buf_put_u8(out, PUSH_DECODER_VERSION);
    buf_put_u8(out, b->body.format);
    buf_put_u8(out, b->body.coding);
    buf_put_u8(out, 0);
    buf_put_le64(out, wal_policy_id(b->body.policy));
    buf_put_le64(out, (uint64_t)b->received_ns);
    buf_put_str(out, b->tenant);
    buf_put_varint(out, b->body.decoded_bytes);
    put_verdict(out, b);
}

bool wal_canonical_put(struct buf *out, const struct push_batch *b, struct wal_cursor *at)
{
    size_t open_stream = SIZE_MAX; /* of this record */
    int64_t last_ts_ns = 0;
    size_t from = out->len;
    for (; cursor_settle(b, at); at->entry++) {
        if (is_rejected(b, at))
            continue;
        if (open_stream != SIZE_MAX && out->len - from >= WAL_CANONICAL_RECORD_BYTES)
            break;
        if (open_stream == SIZE_MAX) {
            buf_put_le64(out, (uint64_t)b->received_ns);
            buf_put_str(out, b->tenant);
        }
        if (open_stream != at->stream) {
            if (open_stream != SIZE_MAX)
                buf_put_varint(out, 0);
            buf_put_str(out, b->streams[at->stream].labels);
            open_stream = at->stream;
            last_ts_ns = 0;
        }
        const struct entry *e = &b->streams[at->stream].entries[at->entry].e;
        buf_put_varint(out, e->line.len + 1);
        buf_put(out, e->line);
        buf_put_varint(out, zigzag((int64_t)((uint64_t)e->ts_ns - (uint64_t)last_ts_ns)));
        buf_put_str(out, e->sm);
        last_ts_ns = e->ts_ns;
    }
    if (open_stream != SIZE_MAX)
        buf_put_varint(out, 0);
    return open_stream != SIZE_MAX;
}

/* ---- decoding ---- */

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "WAL record: %s does not decode", what);
}

/* An entry of a label set that is not valid cannot have been accepted. */
static bool accepts_no_stream(const struct push_batch *b)
{
    for (size_t s = 0; s < b->n_streams; s++)
        for (size_t i = 0; i < b->streams[s].n_entries && b->streams[s].labels.len == 0; i++)
            if (!b->streams[s].entries[i].rejected)
                return true;
    return false;
}

/* Marks what the verdict refuses; it must not speak of entries that are not there. */
static int apply_verdict(struct reader *in, struct push_batch *b, struct err *err)
{
    uint64_t n_runs = rd_varint(in);
    struct wal_cursor at = {0};
    for (uint64_t i = 0; i < n_runs && !in->bad; i++) {
        uint64_t left = rd_varint(in);
        for (; left > 0 && cursor_settle(b, &at); left--, at.entry++)
            b->streams[at.stream].entries[at.entry].rejected = i % 2 == 1;
        if (left > 0)
            return corrupt(err, "verdict");
    }
    return in->bad || accepts_no_stream(b) ? corrupt(err, "verdict") : 0;
}

static struct str_view skip_verdict(struct reader *in)
{
    size_t from = in->at;
    uint64_t n_runs = rd_varint(in);
    for (uint64_t i = 0; i < n_runs && !in->bad; i++)
        rd_varint(in);
    return in->bad ? SV_EMPTY : sv(in->p + from, in->at - from);
}

static int decode_body(struct reader *in, wal_policy_fn *find_policy, void *ctx,
                       struct arena *arena, struct push_batch *ret, struct err *err)
{
    uint8_t version = rd_u8(in);
    ret->body.format = rd_u8(in);
    ret->body.coding = rd_u8(in);
    rd_u8(in);
    uint64_t policy_id = rd_le64(in);
    ret->received_ns = (int64_t)rd_le64(in);
    ret->tenant = rd_str(in, MAX_TENANT_BYTES);
    uint64_t decoded_bytes = rd_varint(in);
    struct str_view verdict = skip_verdict(in);
    if (in->bad || decoded_bytes > MAX_RECORD_DECODED_BYTES)
        return corrupt(err, "head");
    if (version != PUSH_DECODER_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "the WAL holds pushes of decoder version %u, this is version %u: start the "
                       "version that wrote them, flush, and upgrade then",
                       version, PUSH_DECODER_VERSION);
    ret->body.bytes = rd_bytes(in, reader_left(in));
    const struct push_policy *policy = find_policy(ctx, policy_id);
    if (!policy)
        return err_set(err, ERR_CORRUPT, "WAL record: its policy is not in the log");
    int r = push_decode(&ret->body, policy, decoded_bytes, NULL, arena, &ret->streams,
                        &ret->n_streams, err);
    if (r < 0)
        return err_context(err, ERR_CORRUPT, "WAL record");
    struct reader runs = reader_of(verdict);
    return apply_verdict(&runs, ret, err);
}

/* Counts first, so that what is allocated is bounded by what is there.  labels == NULL counts. */
static size_t read_entries(struct reader *in, struct push_entry *to)
{
    size_t n = 0;
    int64_t last_ts_ns = 0;
    for (uint64_t len; (len = rd_varint(in)) > 0 && !in->bad; n++) {
        struct entry e = {.line = rd_bytes(in, len - 1)};
        if (len > MAX_LINE_BYTES)
            in->bad = true;
        e.ts_ns = (int64_t)((uint64_t)last_ts_ns + (uint64_t)unzigzag(rd_varint(in)));
        e.sm = rd_str(in, LABELS_MAX_BYTES);
        last_ts_ns = e.ts_ns;
        if (to)
            to[n] = (struct push_entry){.e = e};
    }
    return n;
}

static int decode_stream(struct reader *in, struct arena *arena, struct push_stream *ret,
                         struct err *err)
{
    *ret = (struct push_stream){.labels = rd_str(in, LABELS_MAX_BYTES)};
    struct reader again = *in;
    ret->n_entries = read_entries(in, NULL);
    if (in->bad)
        return corrupt(err, "stream");
    int r = labels_decode(arena, ret->labels, &ret->set, err);
    if (r < 0)
        return err_context(err, r, "WAL record");
    ret->hash = labels_hash_encoded(ret->labels);
    ret->entries = ARENA_ARRAY(arena, struct push_entry, ret->n_entries);
    read_entries(&again, ret->entries);
    for (size_t i = 0; i < ret->n_entries && r == 0; i++) {
        struct labels sm;
        if (ret->entries[i].e.sm.len)
            r = labels_decode(arena, ret->entries[i].e.sm, &sm, err);
    }
    return r;
}

static int decode_canonical(struct reader *in, struct arena *arena, struct push_batch *ret,
                            struct err *err)
{
    ret->received_ns = (int64_t)rd_le64(in);
    ret->tenant = rd_str(in, MAX_TENANT_BYTES);
    struct push_stream *v = NULL;
    size_t cap = 0;
    int r = in->bad ? corrupt(err, "head") : 0;
    while (r == 0 && !reader_done(in)) {
        v = mem_grow(v, &cap, ret->n_streams + 1, sizeof *v);
        r = decode_stream(in, arena, &v[ret->n_streams++], err);
    }
    ret->streams = ARENA_ARRAY(arena, struct push_stream, ret->n_streams);
    if (ret->n_streams)
        memcpy(ret->streams, v, ret->n_streams * sizeof *v);
    free(v);
    return r;
}

int wal_batch_decode(const struct wal_record *record, wal_policy_fn *policy, void *ctx,
                     struct arena *arena, struct push_batch *ret, struct err *err)
{
    struct reader in = reader_of(record->body);
    *ret = (struct push_batch){.arena = arena};
    switch (record->type) {
    case WAL_RECORD_BODY:
        return decode_body(&in, policy, ctx, arena, ret, err);
    case WAL_RECORD_CANONICAL:
        return decode_canonical(&in, arena, ret, err);
    default:
        return err_set(err, ERR_UNSUPPORTED, "WAL record of unknown type %u", record->type);
    }
}
