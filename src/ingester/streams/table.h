/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - inside struct streams, for streams.c and select.c alone. */
#pragma once
#include "base/thread.h"
#include "ingester/streams/pairs.h"
#include "ingester/streams/streams.h"

enum {
    STREAMS_PER_BLOCK = 1024,
    STREAMS_MAX_BLOCKS = 16384, /* 16 million streams */
    STREAMS_TENANT_BUCKETS = 4096,
};

struct streams {
    struct rwlock lock; /* the writer changes under it, and reads without; others read under it */
    struct live_stream **blocks;
    uint32_t n; /* numbers given so far */
    uint32_t *free_list;
    size_t n_free, cap_free;
    struct idx_table table;
    struct pair_table pairs;
    struct stream_tenant *tenants[STREAMS_TENANT_BUCKETS];
    size_t n_tenants;
    uint64_t n_live, mem_bytes;
    int64_t began_mono_ns;
};
