/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - a push as a WAL record, and back (docs/formats.md, "WAL").
 * A body record keeps the body as it came, what decoding it again needs, and the verdict: which
 * entries, counted through the request, were refused.  A canonical record keeps accepted entries.
 * Promise: decoding yields the same streams and entries, in order, with the same `rejected`.
 * Threads: pure. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "model/push.h"
#include "wal/format.h"

enum {
    WAL_BODY_MAX_DECODED_BYTES = 8 << 20, /* larger pushes go canonical */
    WAL_CANONICAL_RECORD_BYTES = 4 << 20, /* a canonical record is closed past this size */
};

/* Its name in the log: XXH64 of the encoded policy. */
uint64_t wal_policy_id(struct str_view policy);

/* Whether the body itself is to be kept. */
bool wal_keeps_body(const struct push_batch *b);
/* All but the body, which follows it to the record's end. */
void wal_body_put_prefix(struct buf *out, const struct push_batch *b);

/* Where a batch is cut into canonical records. */
struct wal_cursor {
    size_t stream, entry;
};
/* One record's worth of accepted entries from *at on, which moves.  False when none is left. */
bool wal_canonical_put(struct buf *out, const struct push_batch *b, struct wal_cursor *at);

/* The policy of that id, NULL: not seen. */
struct push_policy; /* wire/push.h */
typedef const struct push_policy *wal_policy_fn(void *ctx, uint64_t id);
/* A batch that borrows record and arena; limits are NULL.  ERR_CORRUPT on bytes that do not decode,
 * ERR_UNSUPPORTED where another version of the decoder made the verdict. */
int wal_batch_decode(const struct wal_record *record, wal_policy_fn *policy, void *ctx,
                     struct arena *arena, struct push_batch *ret, struct err *err);
