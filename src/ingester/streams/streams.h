/* SPDX-License-Identifier: Apache-2.0 */
/* streams.h - the live streams of all tenants: label set -> stream number, and what pushes must
 * remember of a stream.  A name=value pair is kept once for all streams that have it, so a stream
 * is some 64 bytes and 4 per label; 100,000 of them stay below 28 MB.
 * Promise: a stream keeps its number and its struct's address until streams_evict() takes it.
 * Threads: three kinds.  The writer (one at a time, under the heads' mutex) finds and adds
 * without waiting for queries to end matching more than a moment.  Queries select, any number at
 * once.  The spill thread sorts, and reads what it sorted without a lock; evicting takes the
 * writer's mutex while nothing is spilled. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"
#include "query/source.h"

struct stream_tenant;

struct live_stream {
    /* fixed while the stream lives */
    uint64_t hash;
    struct stream_tenant *tenant;
    uint32_t *pairs; /* places in the table of pairs */
    uint32_t n_pairs;

    /* owned by the writer */
    uint32_t limiter_ms; /* monotonic, since the table began: when the tokens were counted */
    double limiter_tokens;
    int64_t max_ts_ns;                /* newest entry ever seen; INT64_MIN: none yet */
    int64_t last_push_ns;             /* monotonic */
    _Atomic uint64_t last_generation; /* of the newest entry */
};

struct stream_tenant {
    struct str_view name;
    uint32_t n_streams; /* owned by the writer */
    /* Stream numbers: in label order, then those since the last sort.  guarded by the lock */
    uint32_t *sorted, *fresh;
    size_t n_sorted, cap_sorted, n_fresh, cap_fresh;
    struct metric_cell *memory_streams, *created, *removed;
    struct stream_tenant *next; /* of the same bucket */
};

struct streams;
struct streams *streams_new(void);
void streams_free(struct streams *s);

/* ---- the writer ---- */

/* NULL when the tenant has no stream. */
struct stream_tenant *streams_find_tenant(struct streams *s, struct str_view name);
/* labels: encoded; UINT32_MAX when there is none. */
uint32_t streams_find(struct streams *s, const struct stream_tenant *t, struct str_view labels,
                      uint64_t hash);
/* The stream is not there yet; labels decode. */
uint32_t streams_add(struct streams *s, struct str_view tenant, struct str_view labels,
                     uint64_t hash);
struct live_stream *streams_get(struct streams *s, uint32_t idx); /* idx was given, and is live */
/* Takes `bytes` from the stream's bucket, all or nothing. */
bool stream_rate_allows(struct streams *s, struct live_stream *st, uint64_t bytes,
                        uint64_t rate_bytes_per_s, uint64_t burst_bytes, int64_t now_mono_ns);
uint64_t streams_count(const struct streams *s); /* live ones of all tenants */
uint64_t streams_mem_bytes(const struct streams *s);

/* ---- queries ---- */

/* Runs pin() while no stream can be evicted, then yields the matching streams that have entries in
 * the generation it returns or a later one. */
typedef uint64_t streams_pin_fn(void *ctx);
int streams_select(struct streams *s, struct str_view tenant, const struct matcher *matchers,
                   size_t n_matchers, streams_pin_fn *pin, void *ctx, struct arena *arena,
                   struct recent_stream **ret, size_t *ret_n, struct err *err);

/* ---- the spill thread ---- */

/* Tenants by name, each with its streams in label order (sv_cmp of encoded sets); those that came
 * while it sorted may be missing.  Valid until the next sort or evict. */
struct sorted_tenant {
    struct str_view name;
    const uint32_t *streams;
    size_t n_streams;
};
size_t streams_sort(struct streams *s, struct arena *arena, struct sorted_tenant **ret);
/* Appends the encoded label set. */
void stream_labels(struct streams *s, const struct live_stream *st, struct buf *out);
/* Drops streams without an entry in generation `oldest` or later, not pushed to since the time.
 * Under the writer's mutex. */
uint64_t streams_evict(struct streams *s, uint64_t oldest_generation, int64_t idle_since_mono_ns);
