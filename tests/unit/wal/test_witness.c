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

static void write_epoch(uint64_t epoch)
{
    struct wal_witness w = {{{9, 8, 7}}, epoch, epoch * 10};
    assert_int_equal(witness_write(folder, &w, NULL), 0);
}

static void expect_epoch(uint64_t epoch)
{
    struct wal_witness w;
    assert_int_equal(witness_read(folder, &w, NULL), WITNESS_OK);
    assert_int_equal(w.epoch, epoch);
    assert_int_equal(w.covered_lsn, epoch * 10);
    assert_int_equal(w.installation.b[1], 8);
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
    struct wal_witness w;
    assert_int_equal(witness_read(folder, &w, NULL), WITNESS_NONE);
    for (uint64_t e = 1; e < 20; e += e % 3 + 1) {
        write_epoch(e);
        expect_epoch(e);
    }
}

static void test_damage_to_the_newest_slot_leaves_the_one_before(void **state)
{
    (void)state;
    write_epoch(6);
    write_epoch(8);
    for (uint64_t at = 4096; at < 4096 + 64; at++) {
        flip(at);
        expect_epoch(6);
        flip(at);
    }
    expect_epoch(8);
    flip(20);
    expect_epoch(8);
    flip(4096 + 20);
    struct wal_witness w;
    assert_int_equal(witness_read(folder, &w, NULL), WITNESS_NONE);
}

static struct file_fault fail_sync(void *ctx, enum file_op op, const char *name, int fd)
{
    (void)ctx, (void)name, (void)fd;
    return (struct file_fault){op == FILE_OP_SYNC ? 5 /* EIO */ : 0, 0};
}

static void test_a_write_that_is_not_durable_fails(void **state)
{
    (void)state;
    struct wal_witness w = {.epoch = 3};
    file_fault_set(fail_sync, NULL);
    assert_true(witness_write(folder, &w, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_newest_write_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_to_the_newest_slot_leaves_the_one_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_write_that_is_not_durable_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
