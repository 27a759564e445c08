/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters, routes, codings, statuses: what needs no server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <zlib.h>

#include "http/request.h"

static struct arena arena;

static int tear_down(void **state)
{
    arena_deinit(&arena);
    return 0;
}

/* ---- headers ---- */

static void test_headers_keep_their_order_and_ignore_case(void **state)
{
    struct header_list l = {0};
    assert_null(headers_get(&l, SV("Host")).p);
    for (int i = 0; i < 40; i++)
        headers_add(&l, &arena, arena_printf(&arena, "Name-%d", i / 2),
                    arena_printf(&arena, "value %d", i));
    assert_int_equal(l.n, 40);
    assert_true(sv_eq(headers_get(&l, SV("NAME-7")), SV("value 14")));
    assert_int_equal(headers_count(&l, SV("name-19")), 2);
    assert_int_equal(headers_count(&l, SV("name")), 0);
    assert_null(headers_get(&l, SV("Name-20")).p);
}

/* ---- parameters ---- */

static void test_escapes_are_decoded_and_broken_ones_stay(void **state)
{
    static const struct {
        struct str_view text;
        bool plus;
        struct str_view want;
    } cases[] = {
        {SV(""), true, SV("")},
        {SV("plain"), true, SV("plain")},
        {SV("a+b%20c"), true, SV("a b c")},
        {SV("a+b%20c"), false, SV("a+b c")},
        {SV("%41%4a%4A"), true, SV("AJJ")},
        {SV("%00"), true, SV("\0")},
        {SV("%zz%4%"), true, SV("%zz%4%")},
        {SV("%2%41"), true, SV("%2A")},
        {SV("%c3%bc%ff"), true, SV("\xc3\xbc\xff")},
        {SV("%252F"), true, SV("%2F")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(sv_eq(params_decode(&arena, cases[i].text, cases[i].plus), cases[i].want));
}

static void test_forms_keep_order_and_repeats(void **state)
{
    struct params p = {0};
    assert_true(params_add(&p, &arena, SV("a=1&match%5B%5D=x&&flag&match[]=y%26z&=v&b=c=d")));
    static const char *const want[][2] = {{"a", "1"},         {"match[]", "x"}, {"flag", ""},
                                          {"match[]", "y&z"}, {"", "v"},        {"b", "c=d"}};
    assert_int_equal(p.n, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(sv_eq(p.v[i].name, sv_of(want[i][0])));
        assert_true(sv_eq(p.v[i].value, sv_of(want[i][1])));
    }
    struct http_request req = {.params = p.v, .n_params = p.n};
    assert_true(sv_eq(http_param_get(&req, SV("match[]")), SV("x")));
    assert_null(http_param_get(&req, SV("c")).p);
    assert_true(http_param_get(&req, SV("flag")).p && http_param_get(&req, SV("flag")).len == 0);
}

static void test_there_is_a_most_of_parameters(void **state)
{
    CLEANUP(buf_deinit) struct buf form = BUF_INIT;
    struct params p = {0}, q = {0};
    for (int i = 0; i < MAX_PARAMS; i++)
        buf_put(&form, SV("a&"));
    assert_true(params_add(&p, &arena, buf_view(&form)));
    buf_put(&form, SV("a"));
    assert_false(params_add(&q, &arena, buf_view(&form)));
}

/* ---- routes ---- */

static const struct http_route routes[] = {
    {.path = "/loki/api/v1/push", .methods = HTTP_POST},
    {.path = "/loki/api/v1/label/{name}/values", .methods = HTTP_GET | HTTP_POST},
    {.path = "/rules/{ns}", .methods = HTTP_GET},
    {.path = "/rules/{ns}", .methods = HTTP_DELETE},
    {.path = "/ready", .methods = HTTP_GET},
};

static enum router_verdict route(const char *prefix, const char *path, enum http_method method,
                                 struct request *r)
{
    static char prefix_text[32];
    struct http_server s = {0};
    strcpy(prefix_text, prefix);
    s.path_prefix = sv_of(prefix_text);
    router_init(&s, routes, sizeof routes / sizeof routes[0]);
    *r = (struct request){.pub.method = method};
    enum router_verdict verdict = router_match(&s, r, sv_of(path));
    r->pub.path = arena_copy(&arena, r->pub.path);
    r->pub.path_param = arena_copy(&arena, r->pub.path_param);
    router_deinit(&s);
    arena_deinit(&r->arena);
    return verdict;
}

static void assert_param(const char *path, struct str_view want)
{
    struct request r;
    assert_int_equal(route("", path, HTTP_GET, &r), ROUTER_OK);
    assert_true(sv_eq(r.pub.path_param, want));
}

static void test_paths_find_their_route(void **state)
{
    struct request r;
    assert_int_equal(route("", "/ready", HTTP_GET, &r), ROUTER_OK);
    assert_int_equal(route("", "/ready", HTTP_POST, &r), ROUTER_WRONG_METHOD);
    assert_int_equal(route("", "/ready", (enum http_method)0, &r), ROUTER_WRONG_METHOD);
    assert_int_equal(route("", "/loki/api/v1/push", HTTP_POST, &r), ROUTER_OK);
    assert_int_equal(route("", "/rules/x", HTTP_DELETE, &r), ROUTER_OK);
    static const char *const unknown[] = {"",
                                          "/",
                                          "/ready/",
                                          "//ready",
                                          "/READY",
                                          "/rea",
                                          "/readyx",
                                          "ready",
                                          "/rules/",
                                          "/rules",
                                          "/rules/a/b",
                                          "/loki/api/v1/label//values",
                                          "/loki/api/v1/label/x/value",
                                          "/loki/api/v1/label/x/values/"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (route("", unknown[i], HTTP_GET, &r) != ROUTER_NOT_FOUND)
            fail_msg("%s", unknown[i]);
}

static void test_segments_are_cut_before_they_are_decoded(void **state)
{
    struct request r;
    assert_param("/loki/api/v1/label/app/values", SV("app"));
    assert_param("/loki/api/v1/label/a%2Fb/values", SV("a/b"));
    assert_param("/loki/api/v1/label/a%00b/values", SV("a\0b"));
    assert_param("/loki/api/v1/label/%C3%BC/values", SV("\xc3\xbc"));
    assert_param("/%6Coki/api/v1/label/a+b/values", SV("a+b"));
    assert_int_equal(route("", "/loki%2Fapi/v1/push", HTTP_POST, &r), ROUTER_NOT_FOUND);
    assert_int_equal(route("", "/loki/api/v1/label/a/b/values", HTTP_GET, &r), ROUTER_NOT_FOUND);
}

static void test_a_prefix_stands_before_every_path(void **state)
{
    struct request r;
    assert_int_equal(route("/x", "/x/ready", HTTP_GET, &r), ROUTER_OK);
    assert_true(sv_eq(r.pub.path, SV("/ready")));
    assert_int_equal(route("/x", "/ready", HTTP_GET, &r), ROUTER_NOT_FOUND);
    assert_int_equal(route("/x", "/xready", HTTP_GET, &r), ROUTER_NOT_FOUND);
}

static void test_metrics_name_routes_by_their_template(void **state)
{
    struct http_server s = {0};
    router_init(&s, routes, sizeof routes / sizeof routes[0]);
    assert_string_equal(s.routes[0].metric_name, "loki_api_v1_push");
    assert_string_equal(s.routes[1].metric_name, "loki_api_v1_label_name_values");
    assert_string_equal(s.routes[4].metric_name, "ready");
    router_deinit(&s);
}

/* ---- gzip ---- */

static void test_clients_say_whether_they_take_gzip(void **state)
{
    static const char *const yes[] = {"gzip",       "deflate, gzip",       "GZIP;q=0.5",
                                      "*",          "br;q=1, gzip ;q=1.0", "identity, *;q=0.1",
                                      "*;q=0, gzip"};
    static const char *const no[] = {
        "", "identity", "deflate, br", "gzip;q=0", "gzip; q=0.000, *", "gzipped", "*;q=0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (!gzip_accepted(sv_of(yes[i])))
            fail_msg("%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (gzip_accepted(sv_of(no[i])))
            fail_msg("%s", no[i]);
}

static void test_pieces_compress_to_one_stream(void **state)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT, packed = BUF_INIT, back = BUF_INIT;
    struct gzip *g = gzip_new();
    for (int i = 0; i < 3000; i++) {
        size_t before = plain.len;
        buf_printf(&plain, "piece %d of many\n", i * 7919);
        gzip_put(g, sv(plain.p + before, plain.len - before), false, &packed);
    }
    gzip_put(g, SV_EMPTY, true, &packed);
    gzip_free(g);
    assert_true(packed.len < plain.len / 2);
    z_stream z = {0};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (Bytef *)packed.p;
    z.avail_in = (uInt)packed.len;
    z.next_out = (Bytef *)buf_add(&back, plain.len + 1);
    z.avail_out = (uInt)plain.len + 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    back.len -= z.avail_out;
    inflateEnd(&z);
    assert_true(sv_eq(buf_view(&back), buf_view(&plain)));
}

/* ---- statuses ---- */

static void test_errors_have_their_status(void **state)
{
    static const int cases[][2] = {{ERR_INVALID, 400},
                                   {ERR_OVER_BUDGET, 400},
                                   {ERR_UNAUTHORISED, 401},
                                   {ERR_NOT_FOUND, 404},
                                   {ERR_TOO_LARGE, 413},
                                   {ERR_NO_STREAMS, 422},
                                   {ERR_RATE_LIMITED, 429},
                                   {ERR_CANCELLED, 499},
                                   {ERR_UNAVAILABLE, 503},
                                   {ERR_DISK_FULL, 503},
                                   {ERR_TIMEOUT, 504},
                                   {ERR_CORRUPT, 500},
                                   {-5, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(http_status_of(cases[i][0]), cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_keep_their_order_and_ignore_case),
        cmocka_unit_test(test_escapes_are_decoded_and_broken_ones_stay),
        cmocka_unit_test(test_forms_keep_order_and_repeats),
        cmocka_unit_test(test_there_is_a_most_of_parameters),
        cmocka_unit_test(test_paths_find_their_route),
        cmocka_unit_test(test_segments_are_cut_before_they_are_decoded),
        cmocka_unit_test(test_a_prefix_stands_before_every_path),
        cmocka_unit_test(test_metrics_name_routes_by_their_template),
        cmocka_unit_test(test_clients_say_whether_they_take_gzip),
        cmocka_unit_test(test_pieces_compress_to_one_stream),
        cmocka_unit_test(test_errors_have_their_status),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
