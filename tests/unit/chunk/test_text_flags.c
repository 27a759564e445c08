/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "chunk/chunk.h"
#include "chunk/text_flags.h"
#include "gen.h"

static uint16_t slow_flags(struct str_view blob, uint32_t rows)
{
    unsigned flags = CHUNK_ASCII | CHUNK_UTF8;
    uint32_t newlines = 0;
    for (size_t at = 0; at < blob.len;) {
        uint32_t c;
        size_t n = utf8_decode(sv_from(blob, at), &c);
        if (n == 0)
            flags &= ~(unsigned)CHUNK_UTF8;
        if (n != 1)
            flags &= ~(unsigned)CHUNK_ASCII;
        newlines += blob.p[at] == '\n';
        flags |= blob.p[at] == '\\' ? CHUNK_BACKSLASH : 0;
        flags |= blob.p[at] == 0x1b ? CHUNK_ESCAPE : 0;
        at += n ? n : 1;
    }
    return (uint16_t)(flags | (newlines != rows ? CHUNK_NEWLINE : 0));
}

static void check(const char *text, size_t len)
{
    uint32_t rows = 0;
    for (size_t i = 0; i < len; i++)
        rows += text[i] == '\n';
    assert_int_equal(text_flags(sv(text, len), rows), slow_flags(sv(text, len), rows));
    if (rows)
        assert_int_equal(text_flags(sv(text, len), rows - 1), slow_flags(sv(text, len), rows - 1));
}

static void test_one_odd_byte_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "\\",           "\x1b", "\n",       "\xc3\xa9", "\x80", "\xf0\x9f\x98\x80",
        "\xed\xa0\x80", "\xc3", "\xe2\x82", "\xff"};
    char text[300];
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++)
        for (size_t len = 8; len < 260; len += 17)
            for (size_t at = 0; at + strlen(odd[k]) < len; at++) {
                memset(text, 'a', sizeof text);
                memcpy(text + at, odd[k], strlen(odd[k]));
                text[len - 1] = '\n';
                check(text, len);
            }
}

static void test_random_mixtures_equal_the_slow_way(void **state)
{
    (void)state;
    struct gen g = {.state = 77};
    static const char *const bits[] = {"plain text ",      "\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac",
                                       "\xf0\x9f\x98\x80", "\n",       "x",
                                       "\xe6\x97"};
    struct buf b = BUF_INIT;
    for (int round = 0; round < 4000; round++) {
        buf_clear(&b);
        uint32_t n = gen_below(&g, 60), kinds = 2 + gen_below(&g, 6);
        while (n--)
            buf_put(&b, sv_of(bits[gen_below(&g, kinds)]));
        check(buf_view(&b).p, b.len);
    }
    buf_deinit(&b);
}

static void test_many_line_ends_are_counted_past_a_byte(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, '\n', sizeof text);
    for (uint32_t len = 0; len < sizeof text; len += 4099) {
        assert_int_equal(text_flags(sv(text, len), len), CHUNK_ASCII | CHUNK_UTF8);
        assert_int_equal(text_flags(sv(text, len), len + 1),
                         CHUNK_ASCII | CHUNK_UTF8 | CHUNK_NEWLINE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_odd_byte_is_seen_wherever_it_stands),
        cmocka_unit_test(test_random_mixtures_equal_the_slow_way),
        cmocka_unit_test(test_many_line_ends_are_counted_past_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
