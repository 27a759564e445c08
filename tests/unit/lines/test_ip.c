/* SPDX-License-Identifier: Apache-2.0 */
#include "emitted.h"
#include "lines/ip.h"

static void test_addresses_are_read_strictly(void **state)
{
    static const char *const good[] = {"0.0.0.0",
                                       "10.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "1::",
                                       "2001:db8::8:800:200c:417a",
                                       "FD00::1",
                                       "1:2:3:4:5:6:7:8",
                                       "::ffff:10.0.0.1",
                                       "1:2:3:4:5:6:7.8.9.10"};
    static const char *const bad[] = {"",
                                      "10.0.0",
                                      "10.0.0.1.5",
                                      "10.0.0.256",
                                      "10.0.0.01",
                                      "10.0.0.1.",
                                      "10..0.1",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "::1::",
                                      "12345::",
                                      "g::1",
                                      "[::1]",
                                      "::1%eth0",
                                      " 10.0.0.1",
                                      "1:2:3:4:5:6:7::8:9",
                                      ":1:2:3:4:5:6:7:8"};
    struct ip ip;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!ip_parse(sv_of(good[i]), &ip))
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ip_parse(sv_of(bad[i]), &ip))
            fail_msg("%s was accepted", bad[i]);
}

static void test_a_range_is_an_address_a_cidr_or_from_to(void **state)
{
    static const char *const good[] = {"10.0.0.1",  "10.1.2.3/16", "10.0.0.1-10.0.0.9",
                                       "fd00::/8",  "::1",         "::1-::9",
                                       "0.0.0.0/0", "1.2.3.4/32"};
    static const char *const bad[] = {"x",
                                      "10.0.0.1 - 10.0.0.9",
                                      "10.0.0.9-10.0.0.1",
                                      "10.0.0.1-::1",
                                      "10.0.0.0/33",
                                      "::/129",
                                      "10.0.0.0/",
                                      "10.0.0.0/08",
                                      "",
                                      "10.0.0.1-"};
    struct ip_range range;
    struct err err;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (ip_range_parse(sv_of(good[i]), &range, &err) < 0)
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (ip_range_parse(sv_of(bad[i]), &range, &err) == 0)
            fail_msg("%s was accepted", bad[i]);
        assert_memory_equal(err.text, "ip: invalid pattern: \"", 22);
    }
}

static void test_addresses_are_found_in_text(void **state)
{
    static const struct {
        const char *range, *text;
        bool found;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "from 10.0.0.1:80", true},
        {"::1", "at [::1]:80", true},
        {"10.0.0.1", "x10.0.0.1y", true},
        {"10.0.0.2", "10.0.0.1,10.0.0.2", true},
        {"10.0.0.1", "10.0.0.1.", false},
        {"10.0.0.1", "10.0.0.1.5", false},
        {"10.0.0.1", "10.0.0.01", false},
        {"10.0.0.1", "ab:10.0.0.1", false},
        {"0.0.0.0/0", "::ffff:10.0.0.1", false},
        {"10.0.0.0/8", "none 11.0.0.1 here", false},
        {"10.0.0.0/8", "9.9.9.9 then 10.255.255.255", true},
        {"fd00::/8", "peer fd12:3456::7 up", true},
        {"10.0.0.5-10.0.0.9", "10.0.0.4 10.0.0.10", false},
        {"10.0.0.5-10.0.0.9", "10.0.0.4 10.0.0.9", true},
        {"10.0.0.1", "", false},
        {"10.0.0.1", "1.", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ip_range range;
        assert_int_equal(ip_range_parse(sv_of(rows[i].range), &range, NULL), 0);
        if (ip_range_in_text(&range, sv_of(rows[i].text)) != rows[i].found)
            fail_msg("%s in '%s' should be %d", rows[i].range, rows[i].text, rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_read_strictly),
        cmocka_unit_test(test_a_range_is_an_address_a_cidr_or_from_to),
        cmocka_unit_test(test_addresses_are_found_in_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
