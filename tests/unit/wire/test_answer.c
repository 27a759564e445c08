/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/clock.h"
#include "wire/answer.h"

static const struct labels none = {NULL, 0};

static void assert_written(struct buf *out, const char *want)
{
    buf_put_u8(out, 0);
    assert_string_equal(out->p, want);
    buf_deinit(out);
}

static struct labels one_label(const char *name, const char *value)
{
    static struct label v[4];
    static size_t at;
    struct label *l = &v[at++ % 4];
    *l = (struct label){sv_of(name), sv_of(value)};
    return (struct labels){l, 1};
}

static void test_streams_without_flags_have_pairs(void **state)
{
    struct buf out = BUF_INIT;
    struct answer w;
    answer_begin(&w, &out, &(struct answer_options){.kind = ANSWER_STREAMS});
    answer_series_begin(&w, &out, one_label("app", "pay"));
    answer_entry(&w, &out, 1772359200000000002, SV("card \"refused\""), one_label("k", "v"), none);
    answer_entry(&w, &out, -5, SV(""), none, none);
    answer_series_end(&w, &out);
    answer_series_begin(&w, &out, none);
    answer_series_end(&w, &out);
    answer_end(&w, &out, NULL);
    assert_written(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":["
                         "{\"stream\":{\"app\":\"pay\"},\"values\":[[\"1772359200000000002\","
                         "\"card \\\"refused\\\"\"],[\"-5\",\"\"]]},{\"stream\":{},\"values\":[]}],"
                         "\"stats\":{}}}\n");
}

static void test_categories_make_a_third_element_for_every_entry(void **state)
{
    static const struct str_view flags[] = {{"categorize-labels", 17}};
    struct buf out = BUF_INIT;
    struct answer w;
    answer_begin(&w, &out,
                 &(struct answer_options){.kind = ANSWER_STREAMS,
                                          .encoding_flags = flags,
                                          .n_encoding_flags = 1,
                                          .categorize = true});
    answer_series_begin(&w, &out, none);
    answer_entry(&w, &out, 1, SV("a"), one_label("s", "1"), one_label("p", "2"));
    answer_entry(&w, &out, 2, SV("b"), none, one_label("p", "2"));
    answer_entry(&w, &out, 3, SV("c"), one_label("s", "1"), none);
    answer_entry(&w, &out, 4, SV("d"), none, none);
    answer_series_end(&w, &out);
    answer_end(&w, &out, NULL);
    assert_written(
        &out, "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"encodingFlags\":["
              "\"categorize-labels\"],\"result\":[{\"stream\":{},\"values\":["
              "[\"1\",\"a\",{\"structuredMetadata\":{\"s\":\"1\"},\"parsed\":{\"p\":\"2\"}}],"
              "[\"2\",\"b\",{\"parsed\":{\"p\":\"2\"}}],"
              "[\"3\",\"c\",{\"structuredMetadata\":{\"s\":\"1\"}}],[\"4\",\"d\",{}]]}],"
              "\"stats\":{}}}\n");
}

static void test_warnings_stand_before_the_data(void **state)
{
    static const struct str_view warnings[] = {{"one", 3}, {"t<o", 3}};
    struct buf out = BUF_INIT;
    struct answer w;
    answer_begin(
        &w, &out,
        &(struct answer_options){.kind = ANSWER_MATRIX, .warnings = warnings, .n_warnings = 2});
    answer_series_begin(&w, &out, one_label("level", "error"));
    answer_point(&w, &out, 1772359200 * NS_PER_S, 3);
    answer_point(&w, &out, 1772359260 * NS_PER_S + 500 * NS_PER_MS, 0.25);
    answer_series_end(&w, &out);
    answer_end(&w, &out, NULL);
    assert_written(&out,
                   "{\"status\":\"success\",\"warnings\":[\"one\",\"t\\u003co\"],\"data\":{"
                   "\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"level\":\"error\"},"
                   "\"values\":[[1772359200,\"3\"],[1772359260.5,\"0.25\"]]}],\"stats\":{}}}\n");
}

static void test_vectors_scalars_and_empty_results(void **state)
{
    struct buf out = BUF_INIT;
    struct answer w;
    answer_begin(&w, &out, &(struct answer_options){.kind = ANSWER_VECTOR});
    answer_sample(&w, &out, none, 1772359200 * NS_PER_S, NAN);
    answer_sample(&w, &out, one_label("a", "b"), 0, -INFINITY);
    answer_end(&w, &out, NULL);
    assert_written(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                         "{\"metric\":{},\"value\":[1772359200,\"NaN\"]},{\"metric\":{\"a\":\"b\"},"
                         "\"value\":[0,\"-Inf\"]}],\"stats\":{}}}\n");
    answer_begin(&w, &out, &(struct answer_options){.kind = ANSWER_SCALAR});
    answer_sample(&w, &out, none, 4 * NS_PER_S, 2);
    answer_end(&w, &out, NULL);
    assert_written(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":"
                         "[4,\"2\"],\"stats\":{}}}\n");
    answer_begin(&w, &out, &(struct answer_options){.kind = ANSWER_MATRIX});
    answer_end(&w, &out, NULL);
    assert_written(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]"
                         ",\"stats\":{}}}\n");
}

static void test_the_legacy_shape_has_label_text_and_times(void **state)
{
    struct buf out = BUF_INIT;
    struct answer w;
    answer_begin(&w, &out, &(struct answer_options){.kind = ANSWER_STREAMS, .legacy = true});
    answer_series_begin(&w, &out, one_label("app", "pay"));
    answer_entry(&w, &out, 1772359200 * NS_PER_S + 500 * NS_PER_MS, SV("hi"), none, none);
    answer_series_end(&w, &out);
    answer_end(&w, &out, NULL);
    assert_written(&out, "{\"streams\":[{\"labels\":\"{app=\\\"pay\\\"}\",\"entries\":[{\"ts\":"
                         "\"2026-03-01T10:00:00.5Z\",\"line\":\"hi\"}]}],\"stats\":{}}\n");
}

static void test_names_and_series_lists(void **state)
{
    static const struct str_view names[] = {{"app", 3}, {"e\"v", 3}};
    struct buf out = BUF_INIT;
    answer_names(&out, names, 2, false);
    assert_written(&out, "{\"status\":\"success\",\"data\":[\"app\",\"e\\\"v\"]}\n");
    answer_names(&out, names, 2, true);
    assert_written(&out, "{\"values\":[\"app\",\"e\\\"v\"]}\n");
    answer_names(&out, NULL, 0, false);
    assert_written(&out, "{\"status\":\"success\",\"data\":[]}\n");
    struct answer_list w;
    answer_list_begin(&w, &out);
    answer_list_item(&w, &out, one_label("a", "b"));
    answer_list_item(&w, &out, none);
    answer_list_end(&w, &out);
    assert_written(&out, "{\"status\":\"success\",\"data\":[{\"a\":\"b\"},{}]}\n");
    answer_list_begin(&w, &out);
    answer_list_end(&w, &out);
    assert_written(&out, "{\"status\":\"success\",\"data\":[]}\n");
}

/* A caller may hand the buffer on after any call. */
static void test_pieces_join_to_the_same_answer(void **state)
{
    struct buf piece = BUF_INIT, all = BUF_INIT;
    struct answer w;
    struct query_stats stats = {0};
    for (int cut = 0; cut < 2; cut++) {
        struct buf joined = BUF_INIT;
        struct buf *out = cut ? &piece : &all;
        answer_begin(&w, out, &(struct answer_options){.kind = ANSWER_STREAMS});
        for (int i = 0; i < 3; i++) {
            answer_series_begin(&w, out, one_label("a", "b"));
            if (cut)
                buf_put(&joined, buf_view(out)), buf_clear(out);
            for (int k = 0; k < 3; k++) {
                answer_entry(&w, out, k, SV("x"), none, none);
                if (cut)
                    buf_put(&joined, buf_view(out)), buf_clear(out);
            }
            answer_series_end(&w, out);
        }
        if (cut)
            buf_put(&joined, buf_view(out)), buf_clear(out);
        answer_end(&w, out, &stats);
        if (cut)
            buf_put(&joined, buf_view(out));
        if (cut)
            assert_true(sv_eq(buf_view(&joined), buf_view(&all)));
        buf_deinit(&joined);
    }
    buf_deinit(&piece);
    buf_deinit(&all);
}

#define STORE                                                                                      \
    "\"store\":{\"totalChunksRef\":3,\"totalChunksDownloaded\":3,\"chunksDownloadTime\":402113,"   \
    "\"queryReferencedStructuredMetadata\":false,\"queryUsedV2Engine\":false,\"chunk\":{"          \
    "\"headChunkBytes\":0,\"headChunkLines\":0,\"decompressedBytes\":45660,"                       \
    "\"decompressedLines\":355,\"compressedBytes\":8102,\"totalDuplicates\":0,"                    \
    "\"postFilterLines\":2,\"headChunkStructuredMetadataBytes\":0,"                                \
    "\"decompressedStructuredMetadataBytes\":410},\"chunkRefsFetchTime\":91000,"                   \
    "\"congestionControlLatency\":0,\"pipelineWrapperFilteredLines\":0,\"dataobj\":{"              \
    "\"prePredicateDecompressedRows\":0,\"prePredicateDecompressedBytes\":0,"                      \
    "\"prePredicateDecompressedStructuredMetadataBytes\":0,\"postPredicateRows\":0,"               \
    "\"postPredicateDecompressedBytes\":0,\"postPredicateStructuredMetadataBytes\":0,"             \
    "\"postFilterRows\":0,\"pagesScanned\":0,\"pagesDownloaded\":0,\"pagesDownloadedBytes\":0,"    \
    "\"pageBatches\":0,\"totalRowsAvailable\":0,\"totalPageDownloadTime\":0,"                      \
    "\"wireBytesTransferred\":0}}"

static void test_statistics_have_every_field_of_lokis(void **state)
{
    struct query_stats s = {.exec_time_s = 0.05, .queue_time_s = 0.0007, .splits = 1};
    s.store = (struct stats_store){.total_chunks_ref = 3,
                                   .total_chunks_downloaded = 3,
                                   .chunks_download_time_ns = 402113,
                                   .decompressed_bytes = 45660,
                                   .decompressed_lines = 355,
                                   .compressed_bytes = 8102,
                                   .post_filter_lines = 2,
                                   .decompressed_sm_bytes = 410,
                                   .chunk_refs_fetch_time_ns = 91000};
    s.total_entries_returned = 2;
    struct buf out = BUF_INIT;
    stats_put_json(&out, &s);
    assert_non_null(memmem(out.p, out.len, STORE, strlen(STORE)));
    static const char summary[] =
        "{\"summary\":{\"bytesProcessedPerSecond\":913200,\"linesProcessedPerSecond\":7100,"
        "\"totalBytesProcessed\":45660,\"totalLinesProcessed\":355,\"execTime\":0.05,"
        "\"queueTime\":0.0007,\"subqueries\":0,\"totalEntriesReturned\":2,\"splits\":1,"
        "\"shards\":0,\"totalPostFilterLines\":2,\"totalStructuredMetadataBytesProcessed\":410},";
    assert_true(sv_starts_with(buf_view(&out), sv_of(summary)));
    static const char *const caches[] = {
        "chunk",        "index",        "result",      "statsResult",
        "volumeResult", "seriesResult", "labelResult", "instantMetricResult",
        "logResult",    "taskResult"};
    for (size_t i = 0; i < 10; i++) {
        CLEANUP(buf_deinit) struct buf want = BUF_INIT;
        buf_printf(&want,
                   "\"%s\":{\"entriesFound\":0,\"entriesRequested\":0,\"entriesStored\":0,"
                   "\"bytesReceived\":0,\"bytesSent\":0,\"requests\":0,\"downloadTime\":0,"
                   "\"queryLengthServed\":0}",
                   caches[i]);
        assert_int_not_equal(sv_find(buf_view(&out), buf_view(&want)), SIZE_MAX);
    }
    static const char index[] =
        "\"index\":{\"totalChunks\":0,\"postFilterChunks\":0,\"shardsDuration\":0,"
        "\"usedBloomFilters\":false,\"totalStreams\":0,\"chunkRefsLookupTime\":0,"
        "\"bloomFilterTime\":0}}";
    assert_true(sv_ends_with(buf_view(&out), sv_of(index)));
    buf_deinit(&out);
}

/* Every field, so that a new one cannot be forgotten: all are 8 bytes or bool. */
static void test_statistics_add_up(void **state)
{
    struct query_stats a = {0}, b = {0};
    a.store.decompressed_lines = 5;
    b.store.decompressed_lines = 7;
    b.store.query_referenced_structured_metadata = true;
    b.cache[STATS_CACHE_RESULT].requests = 2;
    b.ingester.head_chunk_bytes = 9;
    b.index_used_bloom_filters = true;
    b.index_chunk_refs_lookup_s = 0.5;
    b.exec_time_s = 99;
    stats_add(&a, &b);
    stats_add(&a, &b);
    assert_int_equal(a.store.decompressed_lines, 19);
    assert_true(a.store.query_referenced_structured_metadata && a.index_used_bloom_filters);
    assert_int_equal(a.cache[STATS_CACHE_RESULT].requests, 4);
    assert_int_equal(a.ingester.head_chunk_bytes, 18);
    assert_true(a.index_chunk_refs_lookup_s == 1);
    assert_true(a.exec_time_s == 0);
    struct stats_store ones, sum = {0};
    int64_t *v = (int64_t *)(void *)&ones, *w = (int64_t *)(void *)&sum;
    size_t n = sizeof ones / sizeof *v,
           flag = offsetof(struct stats_store, query_referenced_structured_metadata) / 8;
    for (size_t i = 0; i < n; i++)
        v[i] = i == flag ? 0 : 1;
    struct query_stats c = {.store = ones}, d = {.store = sum};
    stats_add(&d, &c);
    memcpy(w, &d.store, sizeof sum);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(w[i], i == flag ? 0 : 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_without_flags_have_pairs),
        cmocka_unit_test(test_categories_make_a_third_element_for_every_entry),
        cmocka_unit_test(test_warnings_stand_before_the_data),
        cmocka_unit_test(test_vectors_scalars_and_empty_results),
        cmocka_unit_test(test_the_legacy_shape_has_label_text_and_times),
        cmocka_unit_test(test_names_and_series_lists),
        cmocka_unit_test(test_pieces_join_to_the_same_answer),
        cmocka_unit_test(test_statistics_have_every_field_of_lokis),
        cmocka_unit_test(test_statistics_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
