/* SPDX-License-Identifier: Apache-2.0 */
/* str_view, ascii, utf8, go_quote, num, rfc3339, clock, uuid, tz: text and what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/go_quote.h"
#include "base/num.h"
#include "base/rfc3339.h"
#include "base/tz.h"
#include "base/utf8.h"
#include "base/uuid.h"

static uint64_t random_state = 88172645463325252u;
static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* ---- views ---- */

static void test_views_compare_bytewise_and_shorter_first(void **state)
{
    assert_true(sv_cmp(SV("a"), SV("b")) < 0);
    assert_true(sv_cmp(SV("ab"), SV("a")) > 0);
    assert_true(sv_cmp(SV("\xff"), SV("a")) > 0);
    assert_true(sv_cmp(SV_EMPTY, SV("\0")) < 0);
    assert_int_equal(sv_cmp(SV("x\0y"), SV("x\0y")), 0);
    assert_true(sv_eq((struct str_view){NULL, 0}, SV("")));
    assert_false(sv_eq(SV("a\0b"), SV("a\0c")));
}

static void test_views_are_cut_at_their_length(void **state)
{
    struct str_view v = SV("hello");
    assert_true(sv_eq(sv_from(v, 3), SV("lo")));
    assert_int_equal(sv_from(v, 99).len, 0);
    assert_true(sv_eq(sv_sub(v, 1, 3), SV("ell")));
    assert_true(sv_eq(sv_sub(v, 4, 99), SV("o")));
    assert_true(sv_starts_with(v, SV("he")) && sv_starts_with(v, SV("")));
    assert_false(sv_starts_with(v, SV("hello!")));
    assert_true(sv_ends_with(v, SV("llo")) && sv_ends_with(v, SV("")));
    assert_false(sv_ends_with(SV("lo"), SV("hello")));
}

static void test_needles_are_found(void **state)
{
    assert_int_equal(sv_find(SV("abcabc"), SV("ca")), 2);
    assert_int_equal(sv_find(SV("abc"), SV("")), 0);
    assert_int_equal(sv_find(SV(""), SV("")), 0);
    assert_int_equal(sv_find(SV(""), SV("a")), SIZE_MAX);
    assert_int_equal(sv_find(SV("ab"), SV("abc")), SIZE_MAX);
    assert_int_equal(sv_find(SV("x\0y\0z"), SV("\0z")), 3);
    assert_int_equal(sv_find_byte(SV("abc"), 'c'), 2);
    assert_int_equal(sv_find_byte(SV("abc"), 'd'), 3);
}

static void test_blanks_are_trimmed_at_both_ends(void **state)
{
    assert_true(sv_eq(sv_trim(SV(" \t\n\v\f\r a b \n")), SV("a b")));
    assert_int_equal(sv_trim(SV(" \t ")).len, 0);
    assert_true(sv_eq(sv_trim(SV("\0 ")), SV("\0")));
}

static void test_only_ascii_letters_lose_their_case(void **state)
{
    assert_true(sv_eq_nocase(SV("HeLLo-1"), SV("hEllO-1")));
    assert_false(sv_eq_nocase(SV("["), SV("{"))); /* apart by the same bit as A and a */
    assert_false(sv_eq_nocase(SV("@"), SV("`")));
    assert_false(sv_eq_nocase(SV("\xc4"), SV("\xe4")));
    assert_false(sv_eq_nocase(SV("ab"), SV("abc")));
}

static void test_whole_numbers_are_read_to_their_last_bit(void **state)
{
    uint64_t u;
    int64_t i;
    assert_true(sv_to_u64(SV("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(sv_to_u64(SV("007"), &u) && u == 7);
    assert_true(sv_to_i64(SV("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(sv_to_i64(SV("9223372036854775807"), &i) && i == INT64_MAX);
    static const char *const bad[] = {"",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "18446744073709551616",
                                      "1e3",
                                      "-",
                                      "--1",
                                      "0x1",
                                      "99999999999999999999999"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        assert_false(sv_to_u64(sv_of(bad[k]), &u) || sv_to_i64(sv_of(bad[k]), &i));
    assert_false(sv_to_u64(SV("-1"), &u));
    assert_false(sv_to_i64(SV("9223372036854775808"), &i));
    assert_false(sv_to_i64(SV("-9223372036854775809"), &i));
}

/* ---- characters and escapes ---- */

static void test_classes_of_characters_are_those_of_ascii(void **state)
{
    for (int c = -128; c < 0x300; c++) {
        bool ascii = c >= 0 && c < 0x80;
        assert_int_equal(ascii_is_digit(c), ascii && isdigit(c) != 0);
        assert_int_equal(ascii_is_letter(c), ascii && isalpha(c) != 0);
        assert_int_equal(ascii_is_alnum(c), ascii && isalnum(c) != 0);
        assert_int_equal(ascii_is_word(c), (ascii && isalnum(c) != 0) || c == '_');
        assert_int_equal(ascii_hex_value(c) >= 0, ascii && isxdigit(c) != 0);
        assert_int_equal(ascii_lower(c), ascii ? tolower(c) : c);
        assert_int_equal(ascii_upper(c), ascii ? toupper(c) : c);
    }
    assert_int_equal(ascii_hex_value('F'), 15);
    assert_int_equal(ascii_digit_value('7', 8), 7);
    assert_int_equal(ascii_digit_value('8', 8), -1);
}

static void assert_escape(const char *text, const char *meant, size_t n_meant)
{
    char out[GO_ESCAPE_BYTES];
    size_t n = 99;
    assert_int_equal(go_unescape(sv_of(text), '"', out, &n), strlen(text));
    assert_int_equal(n, n_meant);
    assert_memory_equal(out, meant, n_meant);
}

static void test_go_escapes_are_read_and_bad_ones_refused(void **state)
{
    assert_escape("n", "\n", 1);
    assert_escape("\\", "\\", 1);
    assert_escape("\"", "\"", 1);
    assert_escape("x41", "A", 1);
    assert_escape("101", "A", 1);
    assert_escape("377", "\xff", 1);
    assert_escape("u00e9", "\xc3\xa9", 2);
    assert_escape("U0001F600", "\xf0\x9f\x98\x80", 4);
    assert_escape("400", "", 0);       /* no byte */
    assert_escape("ud800", "", 0);     /* half of a code point */
    assert_escape("U00110000", "", 0); /* beyond the last one */
    static const char *const bad[] = {"",   "'",   "q",    "x4",       "xg0",
                                      "08", "18x", "u00e", "U0001F60", "8"};
    char out[GO_ESCAPE_BYTES];
    size_t n;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(go_unescape(sv_of(bad[i]), '"', out, &n), 0);
    assert_int_equal(go_unescape(sv("a\0", 0), '"', out, &n), 0);
    assert_int_equal(go_unescape(sv("\0", 1), '"', out, &n), 0);
}

static void test_json_escapes_join_their_halves(void **state)
{
    uint32_t c;
    assert_int_equal(utf8_json_escape(SV("00e9x"), &c), 4);
    assert_int_equal(c, 0xe9);
    assert_int_equal(utf8_json_escape(SV("d83d\\ude00"), &c), 10);
    assert_int_equal(c, 0x1f600);
    assert_int_equal(utf8_json_escape(SV("d83d\\u0041"), &c), 4);
    assert_int_equal(c, 0xd83d);
    assert_int_equal(utf8_json_escape(SV("de00"), &c), 4);
    assert_int_equal(c, 0xde00);
    assert_int_equal(utf8_json_escape(SV("00e"), &c), 0);
    assert_int_equal(utf8_json_escape(SV("00g0"), &c), 0);
}

/* ---- UTF-8 ---- */

static void test_every_code_point_survives_utf8(void **state)
{
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t back;
        size_t n = utf8_encode(c, bytes);
        bool surrogate = c >= 0xd800 && c < 0xe000;
        assert_int_equal(utf8_decode(sv(bytes, n), &back), n);
        assert_int_equal(back, surrogate ? UTF8_REPLACEMENT : c);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(utf8_decode(sv(bytes, cut), &back), 0);
    }
    char bytes[UTF8_MAX_BYTES];
    assert_int_equal(utf8_encode(0x110000, bytes), 3);
}

static void test_what_is_not_utf8_is_refused(void **state)
{
    static const struct str_view bad[] = {
        SV("\x80"),
        SV("\xbf"),
        SV("\xc0\x80"),
        SV("\xc1\xbf"),
        SV("\xe0\x80\x80"),
        SV("\xe0\x9f\xbf"),
        SV("\xed\xa0\x80"),
        SV("\xed\xbf\xbf"),
        SV("\xf0\x8f\xbf\xbf"),
        SV("\xf4\x90\x80\x80"),
        SV("\xf5\x80\x80\x80"),
        SV("\xff"),
        SV("\xc3("),
        SV("\xe2\x82("),
        SV("\xf0\x9f\x98("),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t c;
        assert_int_equal(utf8_decode(bad[i], &c), 0);
    }
}

static void test_code_points_are_taken_one_by_one_over_bytes_that_are_none(void **state)
{
    const uint32_t want[] = {'a', UTF8_REPLACEMENT, UTF8_REPLACEMENT, 0xe9, 0x1f600, 'z'};
    struct str_view rest = SV("a\xe2\x82\xc3\xa9\xf0\x9f\x98\x80z");
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(rest.len > 0);
        assert_int_equal(utf8_next(&rest), want[i]);
    }
    assert_int_equal(rest.len, 0);
}

/* ---- numbers ---- */

static void assert_float_text(double v, const char *want)
{
    char text[NUM_FLOAT_BYTES + 1];
    text[num_float_text(v, text)] = '\0';
    assert_string_equal(text, want);
}

static void test_floats_are_written_as_loki_writes_them(void **state)
{
    assert_float_text(0, "0");
    assert_float_text(-0.0, "-0");
    assert_float_text(3, "3");
    assert_float_text(0.25, "0.25");
    assert_float_text(-1.5, "-1.5");
    assert_float_text(0.1, "0.1");
    assert_float_text(1e20, "100000000000000000000");
    assert_float_text(1e-6, "0.000001");
    assert_float_text(0.1 + 0.2, "0.30000000000000004");
    assert_float_text(1.0 / 3, "0.3333333333333333");
    assert_float_text(9007199254740993.0, "9007199254740992");
    assert_float_text(123456789012345678.0, "123456789012345680");
    assert_float_text(NAN, "NaN");
    assert_float_text(INFINITY, "+Inf");
    assert_float_text(-INFINITY, "-Inf");
}

/* The digits without point and the zeros around them. */
static size_t significant(const char *text)
{
    size_t n = 0, zeros = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

static void test_floats_read_back_and_none_is_shorter(void **state)
{
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = random_u64();
        double v;
        if (i % 3 == 0)
            v = (double)(int64_t)(bits % 2000001) / 1000 - 1000;
        else if (i % 3 == 1)
            v = ldexp((double)(bits >> 11), (int)(bits % 200) - 150);
        else
            memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        char text[NUM_FLOAT_BYTES + 1], shorter[64];
        size_t n = num_float_text(v, text);
        assert_true(n <= NUM_FLOAT_BYTES);
        text[n] = '\0';
        assert_true(strtod(text, NULL) == v);
        assert_null(strpbrk(text, "eE"));
        size_t digits = significant(text);
        assert_true(digits <= 17);
        if (digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, v);
            if (strtod(shorter, NULL) == v)
                fail_msg("%s: %s is shorter", text, shorter);
        }
    }
    char smallest[NUM_FLOAT_BYTES + 1];
    memset(smallest, '0', 326);
    smallest[1] = '.';
    strcpy(smallest + 325, "5");
    assert_float_text(5e-324, smallest);
}

static void test_the_shortest_digits_come_with_the_exponent_of_the_first(void **state)
{
    static const struct {
        double v;
        const char *digits;
        int exponent;
    } cases[] = {{0, "0", 0},
                 {0.25, "25", -1},
                 {1200, "12", 3},
                 {1e300, "1", 300},
                 {5e-324, "5", -324},
                 {0.1 + 0.2, "30000000000000004", -1},
                 {1e15 + 1, "1000000000000001", 15}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char digits[NUM_SHORTEST_DIGITS];
        int exponent, n = num_shortest(cases[i].v, digits, &exponent);
        assert_int_equal(n, strlen(cases[i].digits));
        assert_memory_equal(digits, cases[i].digits, (size_t)n);
        assert_int_equal(exponent, cases[i].exponent);
    }
}

static void test_integers_are_written_as_printf_does(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    for (int i = 0; i < 20000; i++) {
        uint64_t v = random_u64() >> (random_u64() % 64);
        char want[64];
        buf_clear(&b);
        num_put_u64(&b, v);
        buf_put_u8(&b, ' ');
        num_put_i64(&b, (int64_t)v);
        snprintf(want, sizeof want, "%llu %lld", (unsigned long long)v, (long long)v);
        assert_true(sv_eq(buf_view(&b), sv_of(want)));
    }
    buf_clear(&b);
    num_put_i64(&b, INT64_MIN);
    assert_true(sv_eq(buf_view(&b), SV("-9223372036854775808")));
}

static void test_sample_times_have_three_decimals_at_most(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0"},
        {NS_PER_S, "1"},
        {1772359200 * NS_PER_S, "1772359200"},
        {1772359200 * NS_PER_S + 125 * NS_PER_MS, "1772359200.125"},
        {1772359200 * NS_PER_S + 120 * NS_PER_MS, "1772359200.12"},
        {NS_PER_MS + 999999, "0.001"},
        {999999, "0"},
        {-1, "-0.001"},
        {-1500 * NS_PER_MS, "-1.5"},
        {-10 * NS_PER_S, "-10"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        num_put_seconds(&b, cases[i].ns);
        assert_true(sv_eq(buf_view(&b), sv_of(cases[i].text)));
    }
}

/* ---- times ---- */

static void test_times_survive_being_written(void **state)
{
    for (int i = 0; i < 50000; i++) {
        int64_t ns = (int64_t)random_u64(), back;
        if (i % 4 == 0)
            ns -= ns % NS_PER_S;
        char text[CLOCK_TEXT_BYTES];
        int n = clock_rfc3339(ns, text);
        assert_int_equal(n, strlen(text));
        assert_true(rfc3339_parse(sv(text, (size_t)n), &back));
        assert_int_equal(back, ns);
    }
}

static void assert_time(const char *text, int64_t want)
{
    int64_t ns;
    assert_true(rfc3339_parse(sv_of(text), &ns));
    assert_int_equal(ns, want);
}

static void test_known_times_are_read(void **state)
{
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("2026-03-01T10:00:00.5Z", 1772359200 * NS_PER_S + 500 * NS_PER_MS);
    assert_time("2026-03-01T11:00:00+01:00", 1772359200 * NS_PER_S);
    assert_time("2026-03-01T04:30:00-05:30", 1772359200 * NS_PER_S);
    assert_time("2026-03-01T10:00:00.1234567899Z", 1772359200 * NS_PER_S + 123456789);
    assert_time("2024-02-29T00:00:00Z", 1709164800 * NS_PER_S);
    assert_time("2000-02-29T23:59:59,25Z", 951868799 * NS_PER_S + 250 * NS_PER_MS);
    assert_time("1969-12-31T23:59:59.999999999Z", -1);
}

static void test_what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-03-01",
        "2026-03-01T10:00:00",
        "2026-03-01 10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2026-04-31T10:00:00Z",
        "2026-03-00T10:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T10:60:00Z",
        "2026-03-01T10:00:60Z",
        "2026-03-01T10:00:00.Z",
        "2026-03-01T10:00:00z",
        "2026-03-01T10:00:00+0100",
        "2026-03-01T10:00:00+24:00",
        "2026-03-01T10:00:00+01:60",
        "2026-03-01T10:00:00Zx",
        "0001-01-01T00:00:00Z", /* before what 64 bits of nanoseconds reach */
        "9999-01-01T00:00:00Z",
        "2262-04-11T23:47:16.854775808Z",
        "+026-03-01T10:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ns;
        assert_false(rfc3339_parse(sv_of(bad[i]), &ns));
    }
    assert_time("2262-04-11T23:47:16.854775807Z", INT64_MAX);
}

static void test_a_fake_clock_stands_until_it_is_moved(void **state)
{
    clock_fake_set(100, 50);
    assert_int_equal(clock_wall_ns(), 100);
    clock_fake_advance(7);
    assert_int_equal(clock_wall_ns(), 107);
    assert_int_equal(clock_mono_ns(), 57);
    clock_fake_off();
    assert_true(clock_wall_ns() > 1600000000 * NS_PER_S);
    int64_t before = clock_mono_ns();
    assert_true(clock_mono_ns() >= before);
}

/* ---- names ---- */

static void test_uuids_are_random_and_read_back(void **state)
{
    struct uuid last = {{0}};
    for (int i = 0; i < 100; i++) {
        struct uuid u = uuid_new(), back;
        char text[UUID_TEXT_BYTES];
        uuid_print(u, text);
        assert_int_equal(strlen(text), 36);
        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
        assert_true(uuid_parse(sv_of(text), &back) && uuid_eq(back, u));
        assert_false(uuid_eq(u, last));
        last = u;
    }
    struct uuid u;
    assert_true(uuid_parse(SV("6BA7B810-9dad-11d1-80b4-00c04fd430c8"), &u));
    assert_int_equal(u.b[0], 0x6b);
    assert_false(uuid_parse(SV("6ba7b8109dad-11d1-80b4-00c04fd430c8-"), &u));
    assert_false(uuid_parse(SV("6ba7b810-9dad-11d1-80b4-00c04fd430cg"), &u));
    assert_false(uuid_parse(SV("6ba7b810-9dad-11d1-80b4-00c04fd430c"), &u));
}

static void test_zones_change_with_the_season(void **state)
{
    const struct tz *oslo = tz_find(SV("Europe/Oslo"));
    if (!oslo)
        skip(); /* a system without a zone database: everything is UTC there */
    int32_t offset_s;
    char name[8];
    tz_at(oslo, 1767225600, &offset_s, name); /* 2026-01-01 */
    assert_int_equal(offset_s, 3600);
    assert_string_equal(name, "CET");
    tz_at(oslo, 1782864000, &offset_s, name); /* 2026-07-01 */
    assert_int_equal(offset_s, 7200);
    assert_string_equal(name, "CEST");
    assert_ptr_equal(tz_find(SV("Europe/Oslo")), oslo);
}

static void test_zones_never_lead_out_of_their_folder(void **state)
{
    static const char *const bad[] = {
        "",       "/etc/passwd", "../../etc/passwd", "Europe/../x",  "Nowhere",
        "Europe", "a b",         "tzdata.zi",        "Europe/Oslo/x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(tz_find(sv_of(bad[i])));
    char long_name[200];
    memset(long_name, 'a', sizeof long_name);
    assert_null(tz_find(sv(long_name, sizeof long_name)));
    int32_t offset_s;
    char name[8];
    tz_at(NULL, 0, &offset_s, name);
    assert_int_equal(offset_s, 0);
    assert_string_equal(name, "UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views_compare_bytewise_and_shorter_first),
        cmocka_unit_test(test_views_are_cut_at_their_length),
        cmocka_unit_test(test_needles_are_found),
        cmocka_unit_test(test_blanks_are_trimmed_at_both_ends),
        cmocka_unit_test(test_only_ascii_letters_lose_their_case),
        cmocka_unit_test(test_whole_numbers_are_read_to_their_last_bit),
        cmocka_unit_test(test_classes_of_characters_are_those_of_ascii),
        cmocka_unit_test(test_go_escapes_are_read_and_bad_ones_refused),
        cmocka_unit_test(test_json_escapes_join_their_halves),
        cmocka_unit_test(test_every_code_point_survives_utf8),
        cmocka_unit_test(test_what_is_not_utf8_is_refused),
        cmocka_unit_test(test_code_points_are_taken_one_by_one_over_bytes_that_are_none),
        cmocka_unit_test(test_floats_are_written_as_loki_writes_them),
        cmocka_unit_test(test_floats_read_back_and_none_is_shorter),
        cmocka_unit_test(test_the_shortest_digits_come_with_the_exponent_of_the_first),
        cmocka_unit_test(test_integers_are_written_as_printf_does),
        cmocka_unit_test(test_sample_times_have_three_decimals_at_most),
        cmocka_unit_test(test_times_survive_being_written),
        cmocka_unit_test(test_known_times_are_read),
        cmocka_unit_test(test_what_is_no_time_is_refused),
        cmocka_unit_test(test_a_fake_clock_stands_until_it_is_moved),
        cmocka_unit_test(test_uuids_are_random_and_read_back),
        cmocka_unit_test(test_zones_change_with_the_season),
        cmocka_unit_test(test_zones_never_lead_out_of_their_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
