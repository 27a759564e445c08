/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - what a query cost: the statistics object of query and query_range answers.
 * Field names are the JSON names; _ns are integers of nanoseconds, _s float seconds.
 * Threads: each worker fills its own and stats_add() sums them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct stats_store { /* querier.store and ingester.store */
    int64_t total_chunks_ref, total_chunks_downloaded, chunks_download_time_ns;
    bool query_referenced_structured_metadata;
    int64_t head_chunk_bytes, head_chunk_lines;
    int64_t decompressed_bytes, decompressed_lines, compressed_bytes;
    int64_t total_duplicates, post_filter_lines;
    int64_t head_chunk_sm_bytes, decompressed_sm_bytes;
    int64_t chunk_refs_fetch_time_ns, congestion_control_latency_ns;
    int64_t pipeline_wrapper_filtered_lines;
};

struct stats_cache {
    int64_t entries_found, entries_requested, entries_stored;
    int64_t bytes_received, bytes_sent, requests;
    int64_t download_time_ns, query_length_served_ns;
};

enum stats_cache_kind {
    STATS_CACHE_CHUNK,
    STATS_CACHE_INDEX,
    STATS_CACHE_RESULT,
    STATS_CACHE_STATS_RESULT,
    STATS_CACHE_VOLUME_RESULT,
    STATS_CACHE_SERIES_RESULT,
    STATS_CACHE_LABEL_RESULT,
    STATS_CACHE_INSTANT_METRIC_RESULT,
    STATS_N_CACHES,
};

struct query_stats {
    /* The summary's sums (bytes, lines per second and in total) are computed when written. */
    double exec_time_s, queue_time_s;
    int64_t splits, shards, total_entries_returned;
    struct stats_store store; /* segments, local and object */
    double querier_exec_time_s;
    int64_t ingester_reached, ingester_chunks_matched, ingester_batches, ingester_lines_sent;
    struct stats_store ingester; /* heads */
    struct stats_cache cache[STATS_N_CACHES];
    int64_t index_total_chunks, index_post_filter_chunks, index_shards_duration_ns;
    bool index_used_bloom_filters;
    int64_t index_total_streams;
    double index_chunk_refs_lookup_s, index_bloom_filter_s;
};

/* Sums; booleans are or-ed; exec and queue time are the caller's to set once. */
void stats_add(struct query_stats *to, const struct query_stats *from);
/* Bytes gone through per second of exec_time_s. */
int64_t stats_bytes_per_second(const struct query_stats *s);
/* The whole object, {...}. */
void stats_put_json(struct buf *out, const struct query_stats *s);
