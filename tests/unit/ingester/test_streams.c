/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "ingester/streams/streams.h"
#include "model/matcher.h"

/* n sets: every one has job and pod, one in three has zone as well. */
static void make_labels(struct buf *out, unsigned i)
{
    char pod[32], job[32], zone[32];
    snprintf(pod, sizeof pod, "pod-%u", i);
    snprintf(job, sizeof job, "job-%u", i % 10);
    snprintf(zone, sizeof zone, "z%u", i % 4);
    struct label v[3] = {
        {SV("job"), sv_of(job)}, {SV("pod"), sv_of(pod)}, {SV("zone"), sv_of(zone)}};
    buf_clear(out);
    labels_encode(out, (struct labels){v, i % 3 == 0 ? 3 : 2});
}

static uint32_t add(struct streams *s, struct str_view tenant, unsigned i)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    make_labels(&b, i);
    uint32_t idx = streams_add(s, tenant, buf_view(&b), labels_hash_encoded(buf_view(&b)));
    streams_get(s, idx)->last_generation = 1;
    return idx;
}

static uint32_t find(struct streams *s, struct str_view tenant, unsigned i)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    make_labels(&b, i);
    struct stream_tenant *t = streams_find_tenant(s, tenant);
    return t ? streams_find(s, t, buf_view(&b), labels_hash_encoded(buf_view(&b))) : UINT32_MAX;
}

static void test_each_tenant_finds_its_own_streams_again(void **state)
{
    struct streams *s = streams_new();
    for (unsigned i = 0; i < 3000; i++)
        add(s, i % 2 ? SV("odd") : SV("even"), i);
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(find(s, i % 2 ? SV("odd") : SV("even"), i), i);
        assert_int_equal(find(s, i % 2 ? SV("even") : SV("odd"), i), UINT32_MAX);
    }
    assert_null(streams_find_tenant(s, SV("nobody")));
    assert_int_equal(streams_count(s), 3000);
    streams_free(s);
}

static uint64_t pin_one(void *ctx)
{
    return *(uint64_t *)ctx;
}

static size_t count_matching(struct streams *s, struct matcher *m, size_t n, uint64_t oldest)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct recent_stream *got;
    size_t n_got;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(matcher_compile(&m[i], &err), 0);
    assert_int_equal(streams_select(s, SV("t"), m, n, pin_one, &oldest, &a, &got, &n_got, &err), 0);
    for (size_t i = 0; i < n_got; i++) {
        struct labels l;
        assert_int_equal(labels_decode(&a, got[i].labels, &l, &err), 0);
        assert_int_equal(got[i].hash, labels_hash_encoded(got[i].labels));
        struct regex_scratch *scratch = NULL;
        for (size_t k = 0; k < n; k++)
            if (m[k].op == MATCH_EQ || m[k].op == MATCH_NE)
                assert_true(matcher_matches(&m[k], scratch, labels_get(l, m[k].name)));
    }
    for (size_t i = 0; i < n; i++)
        matcher_deinit(&m[i]);
    return n_got;
}

static void test_selection_agrees_with_the_matchers(void **state)
{
    struct streams *s = streams_new();
    for (unsigned i = 0; i < 1200; i++)
        add(s, SV("t"), i);
    struct matcher eq[] = {{.name = SV("job"), .op = MATCH_EQ, .value = SV("job-3")}};
    assert_int_equal(count_matching(s, eq, 1, 1), 120);
    struct matcher ne[] = {{.name = SV("job"), .op = MATCH_NE, .value = SV("job-3")}};
    assert_int_equal(count_matching(s, ne, 1, 1), 1080);
    struct matcher absent[] = {{.name = SV("zone"), .op = MATCH_EQ, .value = SV("")}};
    assert_int_equal(count_matching(s, absent, 1, 1), 800);
    struct matcher present[] = {{.name = SV("zone"), .op = MATCH_NE, .value = SV("")}};
    assert_int_equal(count_matching(s, present, 1, 1), 400);
    struct matcher nobody[] = {{.name = SV("job"), .op = MATCH_EQ, .value = SV("none")}};
    assert_int_equal(count_matching(s, nobody, 1, 1), 0);
    struct matcher re[] = {{.name = SV("pod"), .op = MATCH_RE, .value = SV("pod-1.*")},
                           {.name = SV("job"), .op = MATCH_NRE, .value = SV("job-[0-4]")}};
    assert_int_equal(count_matching(s, re, 2, 1), 155);
    assert_int_equal(count_matching(s, eq, 1, 2), 0); /* nothing as new as generation 2 */
    streams_free(s);
}

static void test_the_spill_sees_label_order_whatever_the_order_of_arrival(void **state)
{
    struct streams *s = streams_new();
    unsigned seen = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 500; i++)
            add(s, SV("t"), (i * 7919 + round * 500) % 500 + round * 500);
        add(s, SV("a"), 5000 + round);
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct sorted_tenant *v;
        assert_int_equal(streams_sort(s, &a, &v), 2);
        assert_true(sv_eq(v[0].name, SV("a")) && v[0].n_streams == round + 1);
        CLEANUP(buf_deinit) struct buf last = BUF_INIT, now = BUF_INIT;
        for (size_t i = 0; i < v[1].n_streams; i++) {
            buf_clear(&now);
            stream_labels(s, streams_get(s, v[1].streams[i]), &now);
            assert_true(i == 0 || sv_cmp(buf_view(&last), buf_view(&now)) < 0);
            buf_clear(&last);
            buf_put(&last, buf_view(&now));
        }
        seen += 500;
        assert_int_equal(v[1].n_streams, seen);
    }
    streams_free(s);
}

static void test_idle_streams_leave_and_their_numbers_serve_again(void **state)
{
    struct streams *s = streams_new();
    for (unsigned i = 0; i < 1000; i++) {
        struct live_stream *st = streams_get(s, add(s, SV("t"), i));
        st->last_push_ns = i % 2 ? 100 : 10;
        st->last_generation = i % 4 ? 1 : 2; /* every fourth has entries in a live generation */
    }
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct sorted_tenant *v;
    streams_sort(s, &a, &v);
    assert_int_equal(streams_evict(s, 2, 50), 250);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(find(s, SV("t"), i) == UINT32_MAX, i % 4 == 2);
    uint64_t before = streams_mem_bytes(s);
    for (unsigned i = 0; i < 250; i++)
        assert_true(add(s, SV("t"), 2000 + i) < 1000);
    assert_true(streams_mem_bytes(s) < before + 64 * 250);
    assert_int_equal(streams_evict(s, 3, 1000), 1000);
    assert_null(streams_find_tenant(s, SV("t")));
    streams_free(s);
}

static void test_the_rate_bucket_fills_with_time_up_to_the_burst(void **state)
{
    clock_fake_set(0, NS_PER_S);
    struct streams *s = streams_new();
    struct live_stream *st = streams_get(s, add(s, SV("t"), 1));
    int64_t now = clock_mono_ns();
    assert_true(stream_rate_allows(s, st, 150, 100, 150, now));
    assert_false(stream_rate_allows(s, st, 1, 100, 150, now));
    now += NS_PER_S / 2;
    assert_false(stream_rate_allows(s, st, 51, 100, 150, now));
    assert_true(stream_rate_allows(s, st, 50, 100, 150, now));
    now += NS_PER_HOUR;
    assert_false(stream_rate_allows(s, st, 151, 100, 150, now));
    assert_true(stream_rate_allows(s, st, 150, 100, 150, now));
    streams_free(s);
    clock_fake_off();
}

static void test_a_hundred_thousand_streams_stay_below_28_megabytes(void **state)
{
    struct streams *s = streams_new();
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    for (unsigned i = 0; i < 100000; i++) {
        char pod[64], host[32];
        snprintf(pod, sizeof pod, "checkout-7d9f8b6c5d-%05x", i);
        snprintf(host, sizeof host, "ip-10-0-%u-%u", i % 200 / 16, i % 200);
        struct label v[6] = {{SV("app"), SV("checkout")}, {SV("cluster"), SV("eu-west-1")},
                             {SV("host"), sv_of(host)},   {SV("namespace"), SV("shop")},
                             {SV("pod"), sv_of(pod)},     {SV("service_name"), SV("checkout")}};
        buf_clear(&b);
        labels_encode(&b, (struct labels){v, 6});
        streams_add(s, SV("t"), buf_view(&b), labels_hash_encoded(buf_view(&b)));
    }
    assert_true(streams_mem_bytes(s) < 28u << 20);
    streams_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_tenant_finds_its_own_streams_again),
        cmocka_unit_test(test_selection_agrees_with_the_matchers),
        cmocka_unit_test(test_the_spill_sees_label_order_whatever_the_order_of_arrival),
        cmocka_unit_test(test_idle_streams_leave_and_their_numbers_serve_again),
        cmocka_unit_test(test_the_rate_bucket_fills_with_time_up_to_the_burst),
        cmocka_unit_test(test_a_hundred_thousand_streams_stay_below_28_megabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
