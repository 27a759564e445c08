/* SPDX-License-Identifier: Apache-2.0 */
/* decoded.h - for tests: bodies by hand, and what a decoder made of them as text. */
#pragma once
#include <snappy-c.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/push.h"

/* ---- protobuf by hand; shares no code with the reader ---- */

static inline void pb_varint(struct buf *out, unsigned number, uint64_t v)
{
    buf_put_varint(out, (uint64_t)number << 3);
    buf_put_varint(out, v);
}

static inline void pb_bytes(struct buf *out, unsigned number, struct str_view v)
{
    buf_put_varint(out, (uint64_t)number << 3 | 2);
    buf_put_varint(out, v.len);
    buf_put(out, v);
}

static inline void pb_buf(struct buf *out, unsigned number, struct buf *take)
{
    pb_bytes(out, number, buf_view(take));
    buf_deinit(take);
}

static inline void pb_pair(struct buf *out, unsigned number, struct str_view name,
                           struct str_view value)
{
    struct buf pair = BUF_INIT;
    pb_bytes(&pair, 1, name);
    pb_bytes(&pair, 2, value);
    pb_buf(out, number, &pair);
}

static inline void pb_timestamp(struct buf *out, int64_t seconds, int64_t nanos)
{
    struct buf ts = BUF_INIT;
    pb_varint(&ts, 1, (uint64_t)seconds);
    pb_varint(&ts, 2, (uint64_t)nanos);
    pb_buf(out, 1, &ts);
}

/* One entry without metadata into a StreamAdapter. */
static inline void pb_entry(struct buf *stream, int64_t ts_ns, struct str_view line)
{
    struct buf entry = BUF_INIT;
    int64_t nanos = ts_ns % 1000000000;
    pb_timestamp(&entry, ts_ns / 1000000000 - (nanos < 0), nanos < 0 ? nanos + 1000000000 : nanos);
    pb_bytes(&entry, 2, line);
    pb_buf(stream, 2, &entry);
}

static inline void snappy_pack(struct str_view in, struct buf *out)
{
    size_t len = snappy_max_compressed_length(in.len);
    buf_clear(out);
    snappy_compress(in.p, in.len, buf_add(out, len), &len);
    out->len = len;
}

/* ---- decoding ---- */

/* Nothing added, nothing changed. */
static inline struct push_policy bare_policy(void)
{
    return (struct push_policy){.allow_structured_metadata = true, .log_level_json_depth = 2};
}

struct decoded {
    struct arena arena;
    struct push_body body;
    struct push_stream *streams;
    size_t n;
    struct err err;
    int result;
};

static inline void decoded_deinit(struct decoded *d)
{
    arena_deinit(&d->arena);
}

static inline void decode_within(struct decoded *d, uint8_t format, uint8_t coding,
                                 struct str_view bytes, const struct push_policy *policy,
                                 uint64_t max_bytes, const struct reserve *reserve)
{
    *d = (struct decoded){.body = {.bytes = bytes, .format = format, .coding = coding}};
    d->result =
        push_decode(&d->body, policy, max_bytes, reserve, &d->arena, &d->streams, &d->n, &d->err);
}

static inline void decode(struct decoded *d, uint8_t format, struct str_view bytes,
                          const struct push_policy *policy)
{
    decode_within(d, format, PUSH_CODING_NONE, bytes, policy, 1u << 30, NULL);
}

static inline void put_pairs(struct buf *out, struct labels l)
{
    for (size_t i = 0; i < l.n; i++) {
        buf_put(out, i ? SV(",") : SV(""));
        buf_put(out, l.v[i].name);
        buf_put_u8(out, '=');
        buf_put(out, l.v[i].value);
    }
}

/* {a=b} 5:line[k=v] 6:line | {c=d} ...: enough to compare two decodings and to read a failure. */
static inline void put_decoded(struct buf *out, const struct push_stream *streams, size_t n)
{
    struct arena arena = ARENA_INIT;
    for (size_t s = 0; s < n; s++) {
        buf_put(out, s ? SV(" | {") : SV("{"));
        put_pairs(out, streams[s].set);
        buf_put_u8(out, '}');
        for (size_t i = 0; i < streams[s].n_entries; i++) {
            const struct push_entry *e = &streams[s].entries[i];
            struct labels sm = {NULL, 0};
            if (e->e.ts_ns == PUSH_TS_TOO_OLD)
                buf_put(out, SV(" old:"));
            else if (e->e.ts_ns == PUSH_TS_TOO_NEW)
                buf_put(out, SV(" new:"));
            else
                buf_printf(out, " %lld:", (long long)e->e.ts_ns);
            buf_put(out, e->e.line);
            if (e->e.sm.len == 0)
                continue;
            if (labels_decode(&arena, e->e.sm, &sm, NULL) < 0)
                buf_put(out, SV("[corrupt]"));
            buf_put_u8(out, '[');
            put_pairs(out, sm);
            buf_put_u8(out, ']');
        }
    }
    arena_deinit(&arena);
}
