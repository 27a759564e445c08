/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "wal/files.h"
#include "wal/record.h"
#include "wal/wal.h"

enum { FILE_BYTES = 64 << 10 };

struct fixture {
    char folder[64], witness[80];
    struct wal_options options;
    struct wal_replayed replayed;
    struct wal *wal;
    struct buf seen; /* bodies replayed, each ended by '|' */
    uint64_t first_lsn, last_lsn;
    struct lsn_set covered, holes;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/halogi-wal-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->witness, sizeof f->witness, "%s/witness", f->folder);
    f->options = (struct wal_options){.folder = f->folder,
                                      .witness = f->witness,
                                      .installation = {{1, 2, 3}},
                                      .sync_interval_ns = 1000 * 1000,
                                      .file_bytes = FILE_BYTES};
    log_set_level(LOG_LEVEL_ERROR + 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    file_fault_set(NULL, NULL);
    wal_close(f->wal);
    buf_deinit(&f->seen);
    lsn_set_deinit(&f->covered);
    lsn_set_deinit(&f->holes);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    free(f);
    return 0;
}

static int collect(void *ctx, const struct wal_record *record, struct err *err)
{
    struct fixture *f = ctx;
    if (record->type == WAL_RECORD_POLICY)
        return 0;
    assert_true(record->lsn > f->last_lsn);
    f->last_lsn = record->lsn;
    buf_put(&f->seen, record->body);
    buf_put_u8(&f->seen, '|');
    return 0;
}

static void collect_hole(void *ctx, struct lsn_span hole)
{
    struct fixture *f = ctx;
    assert_true(f->holes.n == 0 || hole.first >= f->holes.v[f->holes.n - 1].end);
    lsn_set_add(&f->holes, hole.first, hole.end);
}

/* What a start would find; leaves f->replayed for the next open. */
static struct str_view replay(struct fixture *f, uint64_t covered_to)
{
    struct err err = ERR_INIT;
    const struct wal_sink sink = {collect, collect_hole, f};
    buf_clear(&f->seen);
    f->last_lsn = 0;
    lsn_set_deinit(&f->holes);
    lsn_set_add(&f->covered, 0, covered_to);
    int r = wal_replay(&f->options, &f->covered, &sink, &f->replayed, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    return buf_view(&f->seen);
}

static void expect_hole(const struct fixture *f, uint64_t first, uint64_t end)
{
    assert_int_equal(f->holes.n, 1);
    assert_int_equal(f->holes.v[0].first, first);
    assert_int_equal(f->holes.v[0].end, end);
}

static void reopen(struct fixture *f)
{
    struct err err = ERR_INIT;
    wal_close(f->wal);
    f->wal = NULL;
    replay(f, 0);
    if (wal_open(&f->wal, &f->options, &f->replayed, &err) < 0)
        fail_msg("%s", err.text);
}

static uint64_t append(struct fixture *f, struct str_view body)
{
    uint64_t lsn = 0;
    struct err err = ERR_INIT;
    struct wal_entry e = {.type = WAL_RECORD_BODY, .prefix = SV(""), .body = body};
    if (wal_append(f->wal, &e, &lsn, &err) < 0)
        fail_msg("%s", err.text);
    return lsn;
}

/* One group per call. */
static uint64_t commit(struct fixture *f, const char *body)
{
    uint64_t lsn = append(f, sv_of(body));
    assert_int_equal(wal_flush(f->wal, NULL), 0);
    return lsn;
}

static void path_of(struct fixture *f, unsigned number, char out[128])
{
    snprintf(out, 128, "%s/%08u.wal", f->folder, number);
}

static void damage(struct fixture *f, unsigned number, uint64_t at)
{
    char path[128], byte;
    path_of(f, number, path);
    int fd = file_open(path, FILE_WRITE, NULL);
    assert_true(fd >= 0);
    assert_int_equal(file_pread_all(fd, &byte, 1, at, NULL), 0);
    byte ^= 0x40;
    assert_int_equal(file_pwrite_all(fd, sv(&byte, 1), at, NULL), 0);
    file_close(fd);
}

/* As if the process had died between the write of the last group and its sync. */
static void forget_witness(struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/newest", f->witness);
    assert_int_equal(file_unlink(path, NULL), 0);
}

static void test_what_was_appended_is_replayed_in_order(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    commit(f, "one");
    append(f, SV("two"));
    append(f, SV(""));
    commit(f, "four");
    reopen(f);
    assert_true(sv_eq(buf_view(&f->seen), SV("one|two||four|")));
    commit(f, "five");
    assert_true(sv_eq(replay(f, 0), SV("one|two||four|five|")));
}

static void test_replay_begins_at_the_covered_lsn(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, SV("one"));
    uint64_t two = append(f, SV("two"));
    commit(f, "three");
    assert_true(sv_eq(replay(f, two), SV("two|three|")));
    assert_true(sv_eq(replay(f, wal_cut(f->wal)), SV("")));
}

static void test_a_torn_tail_is_left_out_and_never_comes_back(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    commit(f, "one");
    uint64_t lsn = commit(f, "two");
    wal_close(f->wal);
    f->wal = NULL;
    forget_witness(f);
    damage(f, 1, wal_lsn_offset(lsn) + WAL_RECORD_HEADER_BYTES);
    reopen(f);
    assert_true(sv_eq(buf_view(&f->seen), SV("one|")));
    assert_int_equal(f->replayed.n_holes, 0);
    commit(f, "three");
    /* The bytes become whole again: a disk that shows late what it had lost. */
    damage(f, 1, wal_lsn_offset(lsn) + WAL_RECORD_HEADER_BYTES);
    assert_true(sv_eq(replay(f, 0), SV("one|three|")));
    assert_int_equal(f->replayed.n_holes, 0);
}

static void test_corruption_in_the_middle_is_counted_and_reading_goes_on(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    commit(f, "one");
    uint64_t lsn = commit(f, "two");
    commit(f, "three");
    damage(f, 1, wal_lsn_offset(lsn) + WAL_RECORD_HEADER_BYTES);
    assert_true(sv_eq(replay(f, 0), SV("one|three|")));
    expect_hole(f, lsn - WAL_GROUP_HEADER_BYTES, lsn - WAL_GROUP_HEADER_BYTES + 128);
}

static void test_a_damaged_last_group_of_an_earlier_file_is_corruption(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    uint64_t lsn = commit(f, "one");
    reopen(f); /* a new epoch: the next file */
    commit(f, "two");
    damage(f, 1, wal_lsn_offset(lsn));
    assert_true(sv_eq(replay(f, 0), SV("two|")));
    assert_int_equal(f->replayed.n_holes, 1);
}

static void test_a_damaged_file_header_costs_nothing(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    commit(f, "one");
    commit(f, "two");
    damage(f, 1, 33);
    assert_true(sv_eq(replay(f, 0), SV("one|two|")));
}

static void test_files_fill_up_and_are_used_again_without_stale_records(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    memset(buf_add(&body, 9000), 'x', 9000);
    reopen(f);
    for (int round = 0; round < 40; round++) {
        append(f, buf_view(&body));
        assert_int_equal(wal_flush(f->wal, NULL), 0);
        lsn_set_add(&f->covered, 0, wal_cut(f->wal));
        wal_covered(f->wal, &f->covered);
        assert_true(wal_bytes_in_use(f->wal) <= 2 * FILE_BYTES);
    }
    uint64_t last = commit(f, "last");
    assert_true(sv_eq(replay(f, last), SV("last|")));
    assert_int_equal(f->replayed.n_holes, 0);
    char path[128];
    path_of(f, 3, path);
    assert_false(file_exists(path));
}

static void test_a_record_larger_than_a_file_is_kept_whole(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    memset(buf_add(&body, 5 * FILE_BYTES), 'y', 5 * FILE_BYTES);
    reopen(f);
    commit(f, "one");
    append(f, buf_view(&body));
    commit(f, "three");
    struct str_view seen = replay(f, 0);
    assert_int_equal(seen.len, 4 + body.len + 1 + 6);
    assert_true(sv_ends_with(seen, SV("y|three|")));
}

static void test_every_cut_of_the_tail_keeps_a_prefix(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    for (int i = 0; i < 4; i++)
        commit(f, "0123456789");
    wal_close(f->wal);
    f->wal = NULL;
    char path[128];
    forget_witness(f);
    path_of(f, 1, path);
    int fd = file_open(path, FILE_WRITE, NULL);
    for (int cut = 64 + 4 * 128; cut >= 0; cut--) {
        assert_int_equal(file_pwrite_all(fd, sv("\0", 1), (uint64_t)cut, NULL), 0);
        struct str_view seen = replay(f, 0);
        assert_int_equal(seen.len % 11, 0);
        /* Padding and reserved bytes behind a record may go without harm. */
        size_t whole = cut < 64 ? 0 : ((size_t)cut - 64) / 128;
        assert_true(seen.len / 11 >= whole && seen.len / 11 <= 4);
        assert_int_equal(f->replayed.n_holes, 0);
    }
    file_close(fd);
}

static int take_policy(void *ctx, const struct wal_record *record, struct err *err)
{
    unsigned *count = ctx;
    if (record->type == WAL_RECORD_POLICY) {
        assert_int_equal(ld_le64(record->body.p), wal_policy_id(SV("the policy")));
        assert_true(sv_eq(sv_from(record->body, 8), SV("the policy")));
        (*count)++;
    } else {
        assert_true(*count > 0); /* never before its definition */
    }
    return 0;
}

static void test_a_policy_is_defined_once_per_file(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    memset(buf_add(&body, 20000), 'x', 20000);
    reopen(f);
    for (int i = 0; i < 6; i++) {
        struct wal_entry e = {.type = WAL_RECORD_BODY,
                              .prefix = SV("head"),
                              .body = buf_view(&body),
                              .policy_id = wal_policy_id(SV("the policy")),
                              .policy = SV("the policy")};
        assert_int_equal(wal_append(f->wal, &e, NULL, NULL), 0);
    }
    assert_int_equal(wal_flush(f->wal, NULL), 0);
    unsigned count = 0;
    struct wal_replayed got;
    const struct wal_sink sink = {take_policy, NULL, &count};
    assert_int_equal(wal_replay(&f->options, &f->covered, &sink, &got, NULL), 0);
    assert_int_equal(count, 3); /* three records to a file; and one in the witness */
}

/* ---- files that are not what they were ---- */

/* Three files of one record each, "one", "two", "three", and the log closed. */
static void fill_three_files(struct fixture *f, uint64_t lsn[3])
{
    static const char *const bodies[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        reopen(f); /* a new epoch: the next file */
        lsn[i] = commit(f, bodies[i]) - WAL_GROUP_HEADER_BYTES;
    }
    wal_close(f->wal);
    f->wal = NULL;
}

static void test_a_missing_file_is_a_hole_wherever_it_stood(void **state)
{
    struct fixture *f = *state;
    static const char *const left[] = {"two|three|", "one|three|", "one|two|"};
    uint64_t lsn[3];
    char path[128], away[140];
    fill_three_files(f, lsn);
    for (unsigned i = 0; i < 3; i++) {
        path_of(f, i + 1, path);
        snprintf(away, sizeof away, "%s.away", path);
        assert_int_equal(file_rename(path, away, NULL), 0);
        assert_true(sv_eq(replay(f, 0), sv_of(left[i])));
        assert_int_equal(f->replayed.n_holes, 1);
        assert_true(f->holes.v[0].first <= lsn[i]);
        assert_int_equal(f->holes.v[0].end, lsn[i] + 128);
        assert_true(f->replayed.next_epoch > wal_lsn_epoch(lsn[2]));
        assert_int_equal(file_rename(away, path, NULL), 0);
    }
    assert_true(sv_eq(replay(f, 0), SV("one|two|three|")));
    assert_int_equal(f->replayed.n_holes, 0);
}

/* The log goes on, what it has comes into segments, files are used again: the hole stays one, and
 * the file that comes back is read. */
static void test_a_hole_is_one_at_every_later_start(void **state)
{
    struct fixture *f = *state;
    uint64_t lsn[3];
    char path[128], away[140];
    fill_three_files(f, lsn);
    path_of(f, 3, path);
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(file_rename(path, away, NULL), 0);
    lsn_set_add(&f->covered, 0, lsn[1] + 128); /* all but the lost one */
    for (int i = 0; i < 4; i++) {
        uint64_t first = lsn[2] + 128;
        reopen(f);
        assert_int_equal(f->holes.n, 1);
        assert_int_equal(f->holes.v[0].end, first);
        commit(f, "later");
        uint64_t cut = wal_cut(f->wal);
        lsn_set_add(&f->covered, first, cut);
        wal_covered(f->wal, &f->covered);
    }
    wal_close(f->wal);
    f->wal = NULL;
    assert_int_equal(file_rename(away, path, NULL), 0);
    assert_true(sv_eq(replay(f, 0), SV("three|")));
    assert_int_equal(f->replayed.n_holes, 0);
}

static void test_an_empty_and_a_zeroed_file_are_holes(void **state)
{
    struct fixture *f = *state;
    uint64_t lsn[3];
    char path[128];
    fill_three_files(f, lsn);
    path_of(f, 3, path);
    file_close(file_open(path, FILE_TRUNCATE, NULL));
    assert_true(sv_eq(replay(f, 0), SV("one|two|")));
    assert_int_equal(f->holes.v[0].end, lsn[2] + 128);
    path_of(f, 1, path);
    int fd = file_open(path, FILE_TRUNCATE, NULL);
    assert_int_equal(file_truncate(fd, FILE_BYTES, NULL), 0);
    file_close(fd);
    assert_true(sv_eq(replay(f, 0), SV("two|")));
    assert_int_equal(f->replayed.n_holes, 2);
}

static void test_what_segments_cover_is_no_hole(void **state)
{
    struct fixture *f = *state;
    uint64_t lsn[3];
    char path[128];
    fill_three_files(f, lsn);
    for (unsigned i = 1; i <= 2; i++) {
        path_of(f, i, path);
        assert_int_equal(file_unlink(path, NULL), 0);
    }
    assert_true(sv_eq(replay(f, lsn[0] + 128), SV("three|")));
    expect_hole(f, lsn[0] + 128, lsn[1] + 128);
    assert_true(sv_eq(replay(f, lsn[1] + 128), SV("three|")));
    assert_int_equal(f->replayed.n_holes, 0);
    assert_true(sv_eq(replay(f, lsn[2] + 128), SV("")));
    assert_int_equal(f->replayed.n_holes, 0);
}

static void test_an_older_copy_of_the_newest_file_is_a_hole(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf old = BUF_INIT;
    char path[128];
    reopen(f);
    uint64_t one = commit(f, "one");
    path_of(f, 1, path);
    assert_int_equal(file_read_whole(path, 1 << 20, &old, NULL), 0);
    commit(f, "two");
    uint64_t three = commit(f, "three");
    wal_close(f->wal);
    f->wal = NULL;
    assert_int_equal(file_write_atomic(path, buf_view(&old), NULL), 0);
    assert_true(sv_eq(replay(f, 0), SV("one|")));
    expect_hole(f, one - WAL_GROUP_HEADER_BYTES + 128, three - WAL_GROUP_HEADER_BYTES + 128);
}

static void test_the_last_synced_group_is_no_torn_tail(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    commit(f, "one");
    uint64_t lsn = commit(f, "two");
    wal_close(f->wal);
    f->wal = NULL;
    damage(f, 1, wal_lsn_offset(lsn) + WAL_RECORD_HEADER_BYTES);
    assert_true(sv_eq(replay(f, 0), SV("one|")));
    expect_hole(f, lsn - WAL_GROUP_HEADER_BYTES, lsn - WAL_GROUP_HEADER_BYTES + 128);
}

/* Files come, are covered and used again, the log is closed and opened: never a hole. */
static void test_a_log_in_good_order_has_no_holes(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit)
    struct buf body = BUF_INIT; /* borrowed by every append until it is durable */
    uint64_t seed = 3;
    buf_fill(&body, 'x', 30000);
    for (int round = 0; round < 30; round++) {
        f->options.sync = (enum wal_sync)(round % 3);
        reopen(f);
        assert_int_equal(f->replayed.n_holes, 0);
        for (int i = 0; i < 8; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            append(f, sv_sub(buf_view(&body), 0, (seed >> 33) % 30000));
            if (seed >> 60 & 1)
                assert_int_equal(wal_flush(f->wal, NULL), 0);
            if (seed >> 61 > 5) {
                uint64_t cut = wal_cut(f->wal);
                assert_int_equal(wal_flush(f->wal, NULL), 0);
                lsn_set_add(&f->covered, 0, cut);
                wal_covered(f->wal, &f->covered);
            }
        }
    }
    wal_close(f->wal);
    f->wal = NULL;
}

struct fault {
    enum file_op op;
    int countdown, errnum;
};

static struct file_fault on_call(void *ctx, enum file_op op, const char *path, int fd)
{
    struct fault *fault = ctx;
    if (op != fault->op || fault->countdown-- != 0)
        return (struct file_fault){0};
    return (struct file_fault){fault->errnum, 3};
}

static void test_a_failed_sync_stops_acknowledging_until_repair(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    reopen(f);
    commit(f, "one");
    struct fault fault = {FILE_OP_SYNC, 0, EIO};
    file_fault_set(on_call, &fault);
    append(f, SV("two"));
    assert_int_equal(wal_flush(f->wal, &err), -EIO);
    file_fault_set(NULL, NULL);
    struct wal_entry e = {.type = WAL_RECORD_BODY, .prefix = SV(""), .body = SV("refused")};
    assert_true(wal_append(f->wal, &e, NULL, &err) < 0);
    assert_true(wal_is_broken(f->wal, NULL));
    assert_int_equal(wal_repair(f->wal, &err), 0);
    commit(f, "three");
    assert_true(sv_eq(replay(f, 0), SV("one|three|")));
    assert_int_equal(f->replayed.n_holes, 0);
}

static void test_a_full_disk_fails_the_push_and_a_later_repair_goes_on(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    unsigned n_failed = 0;
    reopen(f);
    for (enum file_op op = FILE_OP_OPEN; op <= FILE_OP_ALLOCATE; op++) {
        wal_close(f->wal);
        f->wal = NULL;
        reopen(f);
        size_t before = replay(f, 0).len;
        struct fault fault = {op, 0, ENOSPC};
        file_fault_set(on_call, &fault);
        append(f, SV("maybe"));
        int r = wal_flush(f->wal, &err);
        file_fault_set(NULL, NULL);
        assert_true(r < 0 || (op != FILE_OP_OPEN && op != FILE_OP_WRITE && op != FILE_OP_SYNC));
        if (r < 0) {
            n_failed++;
            assert_int_equal(r, -ENOSPC);
            assert_int_equal(wal_repair(f->wal, &err), 0);
        }
        commit(f, "sure");
        struct str_view seen = replay(f, 0);
        assert_true(sv_ends_with(seen, SV("sure|")));
        assert_int_equal(seen.len, before + (r < 0 ? 5 : 11));
    }
    assert_in_range(n_failed, 3, 6);
}

/* The sync of a new file's zeros fails, and so does every removal. */
struct half_made {
    bool failed;
    unsigned n_names_synced; /* since then */
};

static struct file_fault leave_half_made(void *ctx, enum file_op op, const char *path, int fd)
{
    struct half_made *h = ctx;
    bool fails = op == FILE_OP_UNLINK || (op == FILE_OP_SYNC && !h->failed);
    h->failed |= op == FILE_OP_SYNC;
    h->n_names_synced += h->failed && op == FILE_OP_SYNC_DIR;
    return (struct file_fault){.errnum = fails ? EIO : 0};
}

/* It is found at its full size, and power loss would take it with what was acknowledged. */
static void test_a_half_made_file_is_not_taken_for_durable(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    reopen(f);
    struct half_made h = {0};
    file_fault_set(leave_half_made, &h);
    append(f, SV("maybe"));
    assert_int_equal(wal_flush(f->wal, &err), -EIO);
    assert_int_equal(h.n_names_synced, 0);
    assert_int_equal(wal_repair(f->wal, &err), 0);
    commit(f, "sure");
    file_fault_set(NULL, NULL);
    assert_in_range(h.n_names_synced, 1, 9);
    assert_true(sv_ends_with(replay(f, 0), SV("sure|")));
}

static void test_a_file_of_another_installation_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    reopen(f);
    commit(f, "one");
    f->options.installation = (struct uuid){{9}};
    const struct wal_sink sink = {collect, NULL, f};
    assert_int_equal(wal_replay(&f->options, &f->covered, &sink, &f->replayed, &err), ERR_CORRUPT);
}

static void test_interval_and_none_also_keep_what_close_saw(void **state)
{
    struct fixture *f = *state;
    for (enum wal_sync sync = WAL_SYNC_INTERVAL; sync <= WAL_SYNC_NONE; sync++) {
        f->options.sync = sync;
        reopen(f);
        commit(f, sync == WAL_SYNC_NONE ? "none" : "interval");
        usleep(5000);
        wal_close(f->wal);
        f->wal = NULL;
    }
    assert_true(sv_eq(replay(f, 0), SV("interval|none|")));
}

struct counted {
    struct fixture *f;
    _Atomic unsigned done;
};

static void count_done(void *ctx, int result, const struct err *err)
{
    struct counted *c = ctx;
    assert_int_equal(result, 0);
    c->done++;
}

static void test_waiters_run_once_each_in_order_under_load(void **state)
{
    struct fixture *f = *state;
    struct counted c = {f, 0};
    reopen(f);
    for (unsigned i = 0; i < 2000; i++) {
        struct wal_entry e = {.type = WAL_RECORD_CANONICAL,
                              .prefix = SV("0123456789012345678901234567890123456789"),
                              .waiter = {count_done, &c}};
        assert_int_equal(wal_append(f->wal, &e, NULL, NULL), 0);
        if (i % 7 == 0)
            wal_join(f->wal, (struct wal_waiter){count_done, &c});
    }
    assert_int_equal(wal_flush(f->wal, NULL), 0);
    assert_int_equal(c.done, 2000 + 286);
    assert_int_equal(replay(f, 0).len, 2000 * 41);
}

static void test_a_folder_says_whose_records_it_has(void **state)
{
    struct fixture *f = *state;
    struct uuid owner;
    char absent[128];
    snprintf(absent, sizeof absent, "%s/absent", f->folder);
    assert_int_equal(wal_owner_of(absent, &owner, NULL), WAL_NO_OWNER);
    assert_false(file_exists(absent)); /* asking makes nothing */
    assert_int_equal(wal_owner_of(f->folder, &owner, NULL), WAL_NO_OWNER);
    reopen(f);
    commit(f, "one");
    assert_int_equal(wal_owner_of(f->folder, &owner, NULL), 0);
    assert_true(uuid_eq(owner, f->options.installation));
}

/* Who asks makes a catalog of its own where nobody owns the log, and then nobody reads it. */
static void test_a_folder_that_cannot_say_is_no_folder_without_records(void **state)
{
    struct fixture *f = *state;
    struct uuid owner;
    reopen(f);
    commit(f, "one");
    for (enum file_op op = FILE_OP_OPEN; op <= FILE_OP_READ; op++) {
        struct fault fault = {op, 0, EIO};
        file_fault_set(on_call, &fault);
        assert_int_equal(wal_owner_of(f->folder, &owner, NULL), -EIO);
        file_fault_set(NULL, NULL);
    }
    damage(f, 1, 20); /* the header; the group behind it is whole */
    assert_int_equal(wal_owner_of(f->folder, &owner, NULL), ERR_CORRUPT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_was_appended_is_replayed_in_order),
        T(test_replay_begins_at_the_covered_lsn),
        T(test_a_torn_tail_is_left_out_and_never_comes_back),
        T(test_corruption_in_the_middle_is_counted_and_reading_goes_on),
        T(test_a_damaged_last_group_of_an_earlier_file_is_corruption),
        T(test_a_damaged_file_header_costs_nothing),
        T(test_a_missing_file_is_a_hole_wherever_it_stood),
        T(test_a_hole_is_one_at_every_later_start),
        T(test_an_empty_and_a_zeroed_file_are_holes),
        T(test_what_segments_cover_is_no_hole),
        T(test_an_older_copy_of_the_newest_file_is_a_hole),
        T(test_the_last_synced_group_is_no_torn_tail),
        T(test_a_log_in_good_order_has_no_holes),
        T(test_files_fill_up_and_are_used_again_without_stale_records),
        T(test_a_record_larger_than_a_file_is_kept_whole),
        T(test_every_cut_of_the_tail_keeps_a_prefix),
        T(test_a_policy_is_defined_once_per_file),
        T(test_a_failed_sync_stops_acknowledging_until_repair),
        T(test_a_full_disk_fails_the_push_and_a_later_repair_goes_on),
        T(test_a_half_made_file_is_not_taken_for_durable),
        T(test_a_file_of_another_installation_is_refused),
        T(test_interval_and_none_also_keep_what_close_saw),
        T(test_waiters_run_once_each_in_order_under_load),
        T(test_a_folder_says_whose_records_it_has),
        T(test_a_folder_that_cannot_say_is_no_folder_without_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
