/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "regex/substr.h"

static uint64_t seed = 1;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((seed >> 33) % n);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t find_slowly(struct str_view needle, enum substr_case how, struct str_view text,
                          size_t from)
{
    for (size_t at = from; at + needle.len <= text.len; at++) {
        size_t i = 0;
        while (i < needle.len && (how == SUBSTR_FOLD ? lower(text.p[at + i]) == lower(needle.p[i])
                                                     : text.p[at + i] == needle.p[i]))
            i++;
        if (i == needle.len)
            return at;
    }
    return SIZE_MAX;
}

/* A piece of the text, now and then with one byte changed; few letters, so that it nearly fits in
 * many places. */
static void random_text(struct buf *out, size_t len)
{
    static const char LETTERS[] = "aAbB@`{[ \xe9";
    uint32_t n = 2 + random_below(sizeof LETTERS - 3);
    buf_clear(out);
    for (size_t i = 0; i < len; i++)
        buf_put_u8(out, (uint8_t)LETTERS[random_below(n)]);
}

static void test_every_way_finds_what_a_slow_search_finds(void **state)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, needle = BUF_INIT;
    for (int round = 0; round < 20000; round++) {
        random_text(&text, random_below(round % 8 == 0 ? 1000 : 200));
        size_t len = random_below(round % 16 == 0 ? 100 : 12);
        if (text.len >= len && random_below(4)) {
            buf_clear(&needle);
            buf_put(&needle,
                    sv_sub(buf_view(&text), random_below((uint32_t)(text.len - len) + 1), len));
            if (len && random_below(3) == 0)
                needle.p[random_below((uint32_t)len)] = 'b';
        } else {
            random_text(&needle, len);
        }
        /* exactly as long as said, so that a sanitizer sees a read past it */
        char *exact = mem_alloc(text.len);
        if (text.len)
            memcpy(exact, text.p, text.len);
        struct str_view hay = sv(exact, text.len);
        size_t from = random_below((uint32_t)text.len + 2);
        for (int how = SUBSTR_EXACT; how <= SUBSTR_FOLD; how++) {
            struct substr_needle n;
            substr_init(&n, buf_view(&needle), (enum substr_case)how);
            size_t want = from > text.len
                              ? SIZE_MAX
                              : find_slowly(buf_view(&needle), (enum substr_case)how, hay, from);
            assert_int_equal(substr_find(&n, hay, from), want);
            assert_int_equal(substr_find_portable(&n, hay, from), want);
            substr_deinit(&n);
        }
        free(exact);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_a_needle_that_fits_nearly_everywhere_takes_linear_time(void **state)
{
    enum { TEXT = 4 << 20, NEEDLE = 100000 };
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, needle = BUF_INIT;
    buf_fill(&text, 'a', TEXT);
    buf_fill(&needle, 'a', NEEDLE);
    needle.p[NEEDLE / 2] = 'b';
    buf_put(&text, buf_view(&needle));
    for (int how = SUBSTR_EXACT; how <= SUBSTR_FOLD; how++) {
        struct substr_needle n;
        substr_init(&n, buf_view(&needle), (enum substr_case)how);
        double begin = cpu_seconds(); /* place by place it would take minutes */
        assert_int_equal(substr_find(&n, buf_view(&text), 0), TEXT);
        assert_int_equal(substr_find_portable(&n, buf_view(&text), 0), TEXT);
        assert_int_equal(substr_find(&n, buf_view(&text), TEXT + 1), SIZE_MAX);
        assert_true(cpu_seconds() - begin < 10);
        substr_deinit(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_finds_what_a_slow_search_finds),
        cmocka_unit_test(test_a_needle_that_fits_nearly_everywhere_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
