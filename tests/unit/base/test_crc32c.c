/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc32c.h"

static void test_known_values(void **state)
{
    assert_int_equal(crc32c(SV("")), 0);
    assert_int_equal(crc32c(SV("123456789")), 0xe3069283);
    char zeros[32] = {0};
    assert_int_equal(crc32c(sv(zeros, 32)), 0x8a9136aa);
    memset(zeros, 0xff, 32);
    assert_int_equal(crc32c(sv(zeros, 32)), 0x62a8ab43);
}

static void test_the_fast_way_equals_the_table_at_every_length_and_cut(void **state)
{
    enum { N = 20000 };
    char *data = mem_alloc(N);
    srand(1);
    for (size_t i = 0; i < N; i++)
        data[i] = (char)rand();
    for (size_t len = 0; len < N; len += len < 64 ? 1 : 997) {
        struct str_view all = sv(data + len % 9, len > 9 ? len - 9 : 0);
        uint32_t want = crc32c_extend_portable(0, all);
        assert_int_equal(crc32c(all), want);
        size_t cut = all.len / 3;
        uint32_t part = crc32c(sv_sub(all, 0, cut));
        assert_int_equal(crc32c_extend(part, sv_from(all, cut)), want);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_the_fast_way_equals_the_table_at_every_length_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
