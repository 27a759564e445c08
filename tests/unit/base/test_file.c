/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

struct fixture {
    char folder[64];
    struct buf path;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/halogi-file-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    file_fault_set(NULL, NULL);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    assert_false(file_exists(f->folder));
    buf_deinit(&f->path);
    free(f);
    return 0;
}

static const char *at(struct fixture *f, const char *name)
{
    buf_clear(&f->path);
    buf_printf(&f->path, "%s/%s", f->folder, name);
    return f->path.p;
}

static void test_what_is_written_is_read(void **state)
{
    struct fixture *f = *state;
    int fd = file_open(at(f, "a"), FILE_CREATE_NEW, &f->err);
    assert_true(fd >= 0);
    assert_int_equal(file_open(at(f, "a"), FILE_CREATE_NEW, NULL), -EEXIST);
    assert_int_equal(file_pwrite_all(fd, SV("hello"), 3, NULL), 0);
    char p1[] = "abc", p2[] = "", p3[] = "defg";
    struct iovec iov[] = {{p1, 3}, {p2, 0}, {p3, 4}};
    assert_int_equal(file_pwritev_all(fd, iov, 3, 8, NULL), 0);
    assert_int_equal(file_fdatasync(fd, NULL), 0);
    uint64_t size;
    assert_int_equal(file_size(fd, &size, NULL), 0);
    assert_int_equal(size, 15);
    char back[15];
    assert_int_equal(file_pread_all(fd, back, 15, 0, NULL), 0);
    assert_memory_equal(back, "\0\0\0helloabcdefg", 15);
    assert_int_equal(file_pread_all(fd, back, 2, 14, &f->err), ERR_CORRUPT);
    assert_int_equal(file_pread(fd, back, 2, 15, NULL), 0);
    assert_int_equal(file_truncate(fd, 4, NULL), 0);
    assert_int_equal(file_fallocate(fd, 0, 100, NULL), 0);
    assert_int_equal(file_size(fd, &size, NULL), 0);
    assert_int_equal(size, 100);
    file_close(fd);
    assert_int_equal(file_open(at(f, "none"), FILE_READ, &f->err), -ENOENT);
    assert_non_null(strstr(f->err.text, "/none': No such file"));
}

static void test_whole_files_have_a_bound(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, big = BUF_INIT;
    memset(buf_add(&big, 200000), 'x', 200000);
    assert_int_equal(file_write_atomic(at(f, "w"), buf_view(&big), NULL), 0);
    buf_put(&text, SV("before "));
    assert_int_equal(file_read_whole(at(f, "w"), 199999, &text, &f->err), ERR_TOO_LARGE);
    assert_int_equal(text.len, 7);
    assert_int_equal(file_read_whole(at(f, "w"), 200000, &text, &f->err), 0);
    assert_int_equal(text.len, 200007);
    assert_false(file_exists(at(f, "w.tmp")));
}

static int join_names(void *ctx, const char *name, bool is_dir, struct err *err)
{
    buf_printf(ctx, "%s%s ", name, is_dir ? "/" : "");
    return 0;
}

static void test_folders_are_made_listed_renamed_and_removed(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf names = BUF_INIT;
    assert_int_equal(file_mkdirs(at(f, "b/c//d/"), NULL), 0);
    assert_int_equal(file_mkdirs(at(f, "b/c/d"), NULL), 0);
    assert_int_equal(file_write_atomic(at(f, "z"), SV("1"), NULL), 0);
    assert_int_equal(file_write_atomic(at(f, "a"), SV("2"), NULL), 0);
    assert_int_equal(file_list_dir(f->folder, join_names, &names, NULL), 0);
    assert_true(sv_eq(buf_view(&names), SV("a b/ z ")));
    assert_int_equal(file_mkdirs(at(f, "a/b"), &f->err), -ENOTDIR);
    CLEANUP(buf_deinit) struct buf to = BUF_INIT;
    buf_printf(&to, "%s/moved", f->folder);
    assert_int_equal(file_rename(at(f, "z"), to.p, NULL), 0);
    assert_int_equal(file_link(to.p, at(f, "a"), NULL), -EEXIST);
    assert_int_equal(file_unlink(at(f, "z"), NULL), 0);
    assert_int_equal(file_rmdir(at(f, "b"), NULL), -ENOTEMPTY);
    struct file_info info;
    assert_int_equal(file_stat(to.p, &info, NULL), 0);
    assert_int_equal(info.bytes, 1);
    struct disk_space space;
    assert_int_equal(file_disk_space(f->folder, &space, NULL), 0);
    assert_true(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
}

static void test_a_lock_is_held_once(void **state)
{
    struct fixture *f = *state;
    int a = file_open(at(f, "lock"), FILE_CREATE, NULL),
        b = file_open(at(f, "lock"), FILE_CREATE, NULL);
    assert_int_equal(file_lock(a, NULL), 0);
    assert_int_equal(file_lock(b, NULL), -EWOULDBLOCK);
    file_close(a);
    assert_int_equal(file_lock(b, NULL), 0);
    file_close(b);
}

struct nth {
    int calls, fail_at, errnum;
    size_t short_bytes;
    enum file_op failed;
};

static struct file_fault fail_nth(void *ctx, enum file_op op, const char *path, int fd)
{
    struct nth *n = ctx;
    if (n->calls++ != n->fail_at)
        return (struct file_fault){0};
    n->failed = op;
    return (struct file_fault){n->errnum, n->short_bytes};
}

static void test_a_fault_at_each_call_leaves_old_or_new(void **state)
{
    struct fixture *f = *state;
    int n_faults = 0;
    for (int i = 0;; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        assert_int_equal(file_write_atomic(at(f, "x"), SV("old"), NULL), 0);
        struct nth nth = {.fail_at = i, .errnum = ENOSPC, .short_bytes = 1};
        file_fault_set(fail_nth, &nth);
        int r = file_write_atomic(at(f, "x"), SV("new"), &f->err);
        file_fault_set(NULL, NULL);
        assert_int_equal(file_read_whole(at(f, "x"), 10, &text, NULL), 0);
        assert_true(sv_eq(buf_view(&text), SV("old")) || sv_eq(buf_view(&text), SV("new")));
        if (nth.calls <= i)
            break;
        n_faults++;
        assert_true(r == -ENOSPC);
        assert_non_null(strstr(f->err.text, "No space left"));
        if (nth.failed != FILE_OP_SYNC_DIR)
            assert_true(sv_eq(buf_view(&text), SV("old")));
    }
    assert_int_equal(n_faults, 5); /* open, write, sync, rename, sync of the folder */
}

static void test_a_short_write_leaves_its_piece(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    int fd = file_open(at(f, "s"), FILE_CREATE, NULL);
    struct nth nth = {.fail_at = 0, .errnum = EIO, .short_bytes = 2};
    file_fault_set(fail_nth, &nth);
    assert_int_equal(file_pwrite_all(fd, SV("hello"), 0, &f->err), -EIO);
    file_fault_set(NULL, NULL);
    assert_non_null(strstr(f->err.text, "/s'"));
    file_close(fd);
    assert_int_equal(file_read_whole(at(f, "s"), 10, &text, NULL), 0);
    assert_true(sv_eq(buf_view(&text), SV("he")));
}

static void test_log_lines_stay_lines(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    int fd = file_open(at(f, "log"), FILE_CREATE, NULL);
    log_set_fd(fd);
    clock_fake_set(INT64_C(1700000000123000000), 0);
    LOG_DEBUG("not shown");
    LOG_INFO("two words", log_str("path", "/x"), log_sv("odd", SV("a \"b\"\n\x01=")),
             log_int("n", -3), log_duration("took", 1500000), log_str("empty", ""),
             log_uint("u", 7), log_float("f", 0.5));
    LOG_ERROR("plain");
    char *huge = calloc(1, 20001);
    memset(huge, 'y', 20000);
    LOG_WARN("huge", log_str("v", huge));
    free(huge);
    clock_fake_off();
    log_set_fd(2);
    file_close(fd);
    assert_int_equal(file_read_whole(at(f, "log"), 100000, &text, NULL), 0);
    struct str_view all = buf_view(&text);
    struct str_view first = SV("ts=2023-11-14T22:13:20.123Z level=info msg=\"two words\" path=/x "
                               "odd=\"a \\\"b\\\"\\n\\x01=\" n=-3 took=1.5ms empty=\"\" u=7 f=0.5\n"
                               "ts=2023-11-14T22:13:20.123Z level=error msg=plain\n");
    assert_true(sv_starts_with(all, first));
    assert_true(all.len - first.len <= 8192 && all.p[all.len - 1] == '\n');
}

static void test_times_are_written_with_the_digits_they_need(void **state)
{
    char text[CLOCK_TEXT_BYTES];
    clock_rfc3339(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    clock_rfc3339(INT64_C(1772359200500000000), text);
    assert_string_equal(text, "2026-03-01T10:00:00.5Z");
    clock_rfc3339(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    clock_rfc3339(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
    clock_rfc3339(INT64_MIN, text);
    assert_string_equal(text, "1677-09-21T00:12:43.145224192Z");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_is_written_is_read),
        T(test_whole_files_have_a_bound),
        T(test_folders_are_made_listed_renamed_and_removed),
        T(test_a_lock_is_held_once),
        T(test_a_fault_at_each_call_leaves_old_or_new),
        T(test_a_short_write_leaves_its_piece),
        T(test_log_lines_stay_lines),
        T(test_times_are_written_with_the_digits_they_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
