/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/stats.h"

#include "base/num.h"

/* ---- sums ---- */

static void add_store(struct stats_store *to, const struct stats_store *from)
{
    to->total_chunks_ref += from->total_chunks_ref;
    to->total_chunks_downloaded += from->total_chunks_downloaded;
    to->chunks_download_time_ns += from->chunks_download_time_ns;
    to->query_referenced_structured_metadata |= from->query_referenced_structured_metadata;
    to->head_chunk_bytes += from->head_chunk_bytes;
    to->head_chunk_lines += from->head_chunk_lines;
    to->decompressed_bytes += from->decompressed_bytes;
    to->decompressed_lines += from->decompressed_lines;
    to->compressed_bytes += from->compressed_bytes;
    to->total_duplicates += from->total_duplicates;
    to->post_filter_lines += from->post_filter_lines;
    to->head_chunk_sm_bytes += from->head_chunk_sm_bytes;
    to->decompressed_sm_bytes += from->decompressed_sm_bytes;
    to->chunk_refs_fetch_time_ns += from->chunk_refs_fetch_time_ns;
    to->congestion_control_latency_ns += from->congestion_control_latency_ns;
    to->pipeline_wrapper_filtered_lines += from->pipeline_wrapper_filtered_lines;
}

static void add_cache(struct stats_cache *to, const struct stats_cache *from)
{
    to->entries_found += from->entries_found;
    to->entries_requested += from->entries_requested;
    to->entries_stored += from->entries_stored;
    to->bytes_received += from->bytes_received;
    to->bytes_sent += from->bytes_sent;
    to->requests += from->requests;
    to->download_time_ns += from->download_time_ns;
    to->query_length_served_ns += from->query_length_served_ns;
}

void stats_add(struct query_stats *to, const struct query_stats *from)
{
    to->splits += from->splits;
    to->shards += from->shards;
    to->total_entries_returned += from->total_entries_returned;
    add_store(&to->store, &from->store);
    to->querier_exec_time_s += from->querier_exec_time_s;
    to->ingester_reached += from->ingester_reached;
    to->ingester_chunks_matched += from->ingester_chunks_matched;
    to->ingester_batches += from->ingester_batches;
    to->ingester_lines_sent += from->ingester_lines_sent;
    add_store(&to->ingester, &from->ingester);
    for (size_t i = 0; i < STATS_N_CACHES; i++)
        add_cache(&to->cache[i], &from->cache[i]);
    to->index_total_chunks += from->index_total_chunks;
    to->index_post_filter_chunks += from->index_post_filter_chunks;
    to->index_shards_duration_ns += from->index_shards_duration_ns;
    to->index_used_bloom_filters |= from->index_used_bloom_filters;
    to->index_total_streams += from->index_total_streams;
    to->index_chunk_refs_lookup_s += from->index_chunk_refs_lookup_s;
    to->index_bloom_filter_s += from->index_bloom_filter_s;
}

/* ---- JSON ---- */

/* A member's name, with the comma before it unless it is the first of its object. */
static void put_name(struct buf *out, const char *name)
{
    if (out->p[out->len - 1] != '{')
        buf_put_u8(out, ',');
    buf_put_u8(out, '"');
    buf_put(out, sv_of(name));
    buf_put(out, SV("\":"));
}

static void put_int(struct buf *out, const char *name, int64_t v)
{
    put_name(out, name);
    num_put_i64(out, v);
}

static void put_float(struct buf *out, const char *name, double v)
{
    put_name(out, name);
    num_put_float(out, v);
}

static void put_bool(struct buf *out, const char *name, bool v)
{
    put_name(out, name);
    buf_put(out, v ? SV("true") : SV("false"));
}

static void open_object(struct buf *out, const char *name)
{
    put_name(out, name);
    buf_put_u8(out, '{');
}

static void close_object(struct buf *out)
{
    buf_put_u8(out, '}');
}

static void put_store(struct buf *out, const struct stats_store *s)
{
    static const char *const dataobj[] = {
        "prePredicateDecompressedRows",
        "prePredicateDecompressedBytes",
        "prePredicateDecompressedStructuredMetadataBytes",
        "postPredicateRows",
        "postPredicateDecompressedBytes",
        "postPredicateStructuredMetadataBytes",
        "postFilterRows",
        "pagesScanned",
        "pagesDownloaded",
        "pagesDownloadedBytes",
        "pageBatches",
        "totalRowsAvailable",
        "totalPageDownloadTime",
        "wireBytesTransferred",
    };
    open_object(out, "store");
    put_int(out, "totalChunksRef", s->total_chunks_ref);
    put_int(out, "totalChunksDownloaded", s->total_chunks_downloaded);
    put_int(out, "chunksDownloadTime", s->chunks_download_time_ns);
    put_bool(out, "queryReferencedStructuredMetadata", s->query_referenced_structured_metadata);
    put_bool(out, "queryUsedV2Engine", false);
    open_object(out, "chunk");
    put_int(out, "headChunkBytes", s->head_chunk_bytes);
    put_int(out, "headChunkLines", s->head_chunk_lines);
    put_int(out, "decompressedBytes", s->decompressed_bytes);
    put_int(out, "decompressedLines", s->decompressed_lines);
    put_int(out, "compressedBytes", s->compressed_bytes);
    put_int(out, "totalDuplicates", s->total_duplicates);
    put_int(out, "postFilterLines", s->post_filter_lines);
    put_int(out, "headChunkStructuredMetadataBytes", s->head_chunk_sm_bytes);
    put_int(out, "decompressedStructuredMetadataBytes", s->decompressed_sm_bytes);
    close_object(out);
    put_int(out, "chunkRefsFetchTime", s->chunk_refs_fetch_time_ns);
    put_int(out, "congestionControlLatency", s->congestion_control_latency_ns);
    put_int(out, "pipelineWrapperFilteredLines", s->pipeline_wrapper_filtered_lines);
    open_object(out, "dataobj"); /* another store of Loki's; never used here */
    for (size_t i = 0; i < sizeof dataobj / sizeof dataobj[0]; i++)
        put_int(out, dataobj[i], 0);
    close_object(out);
    close_object(out);
}

static void put_cache(struct buf *out, const char *name, const struct stats_cache *c)
{
    open_object(out, name);
    put_int(out, "entriesFound", c->entries_found);
    put_int(out, "entriesRequested", c->entries_requested);
    put_int(out, "entriesStored", c->entries_stored);
    put_int(out, "bytesReceived", c->bytes_received);
    put_int(out, "bytesSent", c->bytes_sent);
    put_int(out, "requests", c->requests);
    put_int(out, "downloadTime", c->download_time_ns);
    put_int(out, "queryLengthServed", c->query_length_served_ns);
    close_object(out);
}

static int64_t per_second(int64_t total, double seconds)
{
    double rate = seconds > 0 ? (double)total / seconds : 0;
    return rate < 9e18 ? (int64_t)rate : INT64_MAX;
}

static int64_t bytes_of(const struct query_stats *s)
{
    const struct stats_store *a = &s->store, *b = &s->ingester;
    return a->decompressed_bytes + a->head_chunk_bytes + b->decompressed_bytes +
           b->head_chunk_bytes;
}

int64_t stats_bytes_per_second(const struct query_stats *s)
{
    return per_second(bytes_of(s), s->exec_time_s);
}

static void put_summary(struct buf *out, const struct query_stats *s)
{
    const struct stats_store *a = &s->store, *b = &s->ingester;
    int64_t bytes = bytes_of(s);
    int64_t lines =
        a->decompressed_lines + a->head_chunk_lines + b->decompressed_lines + b->head_chunk_lines;
    open_object(out, "summary");
    put_int(out, "bytesProcessedPerSecond", stats_bytes_per_second(s));
    put_int(out, "linesProcessedPerSecond", per_second(lines, s->exec_time_s));
    put_int(out, "totalBytesProcessed", bytes);
    put_int(out, "totalLinesProcessed", lines);
    put_float(out, "execTime", s->exec_time_s);
    put_float(out, "queueTime", s->queue_time_s);
    put_int(out, "subqueries", 0);
    put_int(out, "totalEntriesReturned", s->total_entries_returned);
    put_int(out, "splits", s->splits);
    put_int(out, "shards", s->shards);
    put_int(out, "totalPostFilterLines", a->post_filter_lines + b->post_filter_lines);
    put_int(out, "totalStructuredMetadataBytesProcessed",
            a->decompressed_sm_bytes + a->head_chunk_sm_bytes + b->decompressed_sm_bytes +
                b->head_chunk_sm_bytes);
    close_object(out);
}

static void put_caches(struct buf *out, const struct query_stats *s)
{
    static const char *const names[STATS_N_CACHES] = {
        [STATS_CACHE_CHUNK] = "chunk",
        [STATS_CACHE_INDEX] = "index",
        [STATS_CACHE_RESULT] = "result",
        [STATS_CACHE_STATS_RESULT] = "statsResult",
        [STATS_CACHE_VOLUME_RESULT] = "volumeResult",
        [STATS_CACHE_SERIES_RESULT] = "seriesResult",
        [STATS_CACHE_LABEL_RESULT] = "labelResult",
        [STATS_CACHE_INSTANT_METRIC_RESULT] = "instantMetricResult",
    };
    static const struct stats_cache unused;
    open_object(out, "cache");
    for (size_t i = 0; i < STATS_N_CACHES; i++)
        put_cache(out, names[i], &s->cache[i]);
    put_cache(out, "logResult", &unused);
    put_cache(out, "taskResult", &unused);
    close_object(out);
}

void stats_put_json(struct buf *out, const struct query_stats *s)
{
    buf_put_u8(out, '{');
    put_summary(out, s);
    open_object(out, "querier");
    put_store(out, &s->store);
    put_float(out, "querierExecTime", s->querier_exec_time_s);
    close_object(out);
    open_object(out, "ingester");
    put_int(out, "totalReached", s->ingester_reached);
    put_int(out, "totalChunksMatched", s->ingester_chunks_matched);
    put_int(out, "totalBatches", s->ingester_batches);
    put_int(out, "totalLinesSent", s->ingester_lines_sent);
    put_store(out, &s->ingester);
    close_object(out);
    put_caches(out, s);
    open_object(out, "index");
    put_int(out, "totalChunks", s->index_total_chunks);
    put_int(out, "postFilterChunks", s->index_post_filter_chunks);
    put_int(out, "shardsDuration", s->index_shards_duration_ns);
    put_bool(out, "usedBloomFilters", s->index_used_bloom_filters);
    put_int(out, "totalStreams", s->index_total_streams);
    put_float(out, "chunkRefsLookupTime", s->index_chunk_refs_lookup_s);
    put_float(out, "bloomFilterTime", s->index_bloom_filter_s);
    close_object(out);
    close_object(out);
}
