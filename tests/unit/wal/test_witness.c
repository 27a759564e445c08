/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "wal/witness.h"

static char folder[64], path[96];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/halogi-witness-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/newest", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    file_fault_set(NULL, NULL);
    return file_remove_tree(folder, NULL);
}

static const struct uuid OURS = {{9, 8, 7}};

static void write_lsn(uint64_t lsn)
{
    struct witness w;
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    assert_int_equal(witness_write(&w, lsn, WITNESS_DURABLE, NULL), 0);
    witness_close(&w);
}

static void expect_lsn(uint64_t want)
{
    uint64_t lsn;
    assert_int_equal(witness_read(folder, OURS, &lsn, NULL), WITNESS_OK);
    assert_int_equal(lsn, want);
}

static void flip(uint64_t at)
{
    char c;
    int fd = file_open(path, FILE_WRITE, NULL);
    assert_int_equal(file_pread_all(fd, &c, 1, at, NULL), 0);
    c ^= 4;
    assert_int_equal(file_pwrite_all(fd, (struct str_view){&c, 1}, at, NULL), 0);
    file_close(fd);
}

static void test_the_newest_write_is_read(void **state)
{
    (void)state;
    uint64_t lsn;
    struct witness w;
    assert_int_equal(witness_read(folder, OURS, &lsn, NULL), WITNESS_NONE);
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    for (uint64_t e = 1; e < 20; e += e % 3 + 1) {
        assert_int_equal(witness_write(&w, e, e % 2 ? WITNESS_SOON : WITNESS_DURABLE, NULL), 0);
        expect_lsn(e);
    }
    witness_close(&w);
    write_lsn(40);
    expect_lsn(40);
}

static void test_one_of_another_installation_says_nothing(void **state)
{
    (void)state;
    uint64_t lsn;
    write_lsn(40);
    assert_int_equal(witness_read(folder, (struct uuid){{1}}, &lsn, NULL), WITNESS_NONE);
}

static void test_damage_to_the_newest_slot_leaves_the_one_before(void **state)
{
    (void)state;
    uint64_t lsn;
    write_lsn(6);
    write_lsn(8);
    for (uint64_t at = 4096; at < 4096 + 64; at++) {
        flip(at);
        expect_lsn(6);
        flip(at);
    }
    expect_lsn(8);
    flip(20);
    expect_lsn(8);
    flip(4096 + 20);
    assert_int_equal(witness_read(folder, OURS, &lsn, NULL), WITNESS_NONE);
    write_lsn(9);
    expect_lsn(9);
}

static struct file_fault fail_sync(void *ctx, enum file_op op, const char *name, int fd)
{
    (void)ctx, (void)name, (void)fd;
    return (struct file_fault){op == FILE_OP_SYNC ? 5 /* EIO */ : 0, 0};
}

static void test_a_write_that_is_not_durable_fails(void **state)
{
    (void)state;
    struct witness w;
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    file_fault_set(fail_sync, NULL);
    assert_int_equal(witness_write(&w, 3, WITNESS_SOON, NULL), 0);
    assert_true(witness_write(&w, 4, WITNESS_DURABLE, NULL) < 0);
    witness_close(&w);
}

struct seen {
    char text[256];
};

static int see(void *ctx, struct str_view policy, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    snprintf(s->text + strlen(s->text), sizeof s->text - strlen(s->text), "%.*s|", SV_ARG(policy));
    return 0;
}

static void expect_policies(const char *want)
{
    struct seen s = {""};
    assert_int_equal(witness_read_policies(folder, see, &s, NULL), 0);
    assert_string_equal(s.text, want);
}

static void test_policies_are_kept_once_each(void **state)
{
    (void)state;
    struct witness w;
    expect_policies("");
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("one"), NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("two"), NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("one"), NULL), 0);
    witness_close(&w);
    expect_policies("one|two|");
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("two"), NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("three"), NULL), 0);
    witness_close(&w);
    expect_policies("one|two|three|");
}

static void test_a_damaged_policy_costs_itself(void **state)
{
    (void)state;
    struct witness w;
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("one"), NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("two"), NULL), 0);
    witness_close(&w);
    snprintf(path, sizeof path, "%s/policies", folder);
    flip(9);
    expect_policies("two|");
    flip(9);
    flip(2); /* a length: what follows cannot be found */
    expect_policies("");
}

static void test_the_oldest_policies_make_room(void **state)
{
    (void)state;
    struct witness w;
    CLEANUP(buf_deinit) struct buf large = BUF_INIT;
    buf_fill(&large, 'x', WITNESS_MAX_POLICIES_BYTES - 2 * 8 - 3);
    assert_int_equal(witness_open(&w, folder, OURS, NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("one"), NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("two"), NULL), 0);
    assert_int_equal(witness_add_policy(&w, buf_view(&large), NULL), 0);
    assert_int_equal(witness_add_policy(&w, SV("new"), NULL), 0);
    buf_fill(&large, 'y', 1 << 20); /* more than there is room for: left out */
    assert_int_equal(witness_add_policy(&w, buf_view(&large), NULL), 0);
    witness_close(&w);
    struct buf file = BUF_INIT;
    snprintf(path, sizeof path, "%s/policies", folder);
    assert_int_equal(file_read_whole(path, 1 << 20, &file, NULL), 0);
    assert_true(file.len <= WITNESS_MAX_POLICIES_BYTES);
    assert_true(sv_ends_with(buf_view(&file), SV("new")));
    buf_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_newest_write_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_of_another_installation_says_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damage_to_the_newest_slot_leaves_the_one_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_write_that_is_not_durable_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policies_are_kept_once_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_policy_costs_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_oldest_policies_make_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
