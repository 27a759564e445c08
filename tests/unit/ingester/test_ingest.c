/* SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/catalog.h"
#include "store/object/object.h"

#define T0 INT64_C(1700000000000000000)
#define A "{\"app\":\"a\"}"
#define B "{\"app\":\"b\",\"zone\":\"1\"}"

static struct kit_entry entry(const char *labels, int64_t ts_ns, const char *line)
{
    return (struct kit_entry){.tenant = "t", .labels = labels, .line = line, .ts_ns = ts_ns};
}

static const char *text_of(struct kit *k, const char *fmt, unsigned n)
{
    return arena_printf(&k->arena, fmt, n).p;
}

static void flush_ok(struct kit *k)
{
    struct err err = ERR_INIT;
    if (kit_flush(k, &err) < 0)
        fail_msg("flush: %s", err.text);
}

static struct kit_found found(struct kit *k, const char *tenant)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct kit_found f;
    kit_read(k, tenant, true, &text, &f);
    return f;
}

/* ---- push, crash, read ---- */

static void test_what_was_acknowledged_is_read_at_once_and_after_a_crash(void **state)
{
    struct kit *k = *state;
    for (enum kit_how how = KIT_BODY; how <= KIT_CANONICAL; how++) {
        struct kit_entry v[] = {entry(A, T0 + how, "one"), entry(A, T0 + 2, "two \\ \"quoted\""),
                                entry(B, T0 + 1, ""), entry(B, T0 + 3, "with metadata")};
        v[3].sm = "{\"trace\":\"x1\",\"pod\":\"p\"}";
        kit_push_ok(k, v, 4, how);
        kit_check(k, "t");
        kit_crash(k);
        kit_check(k, "t");
        assert_int_equal(found(k, "t").n_head, 4 * (how + 1)); /* only the newest are compared */
    }
}

static void test_a_restart_without_a_crash_keeps_everything_too(void **state)
{
    struct kit *k = *state;
    struct kit_entry v[] = {entry(A, T0, "one"), entry(B, T0, "two")};
    kit_push_ok(k, v, 2, KIT_BODY);
    kit_close(k);
    kit_must_open(k);
    kit_check(k, "t");
}

static void test_a_flush_moves_everything_to_objects_exactly_once(void **state)
{
    struct kit *k = *state;
    for (unsigned round = 0; round < 3; round++) {
        struct kit_entry v[] = {entry(A, T0 + round, text_of(k, "a %u", round)),
                                entry(B, T0 + round, text_of(k, "b %u", round))};
        kit_push_ok(k, v, 2, KIT_BODY);
        flush_ok(k);
        struct kit_found f = found(k, "t");
        assert_int_equal(f.n_head + f.n_local, 0);
        assert_int_equal(f.n_object, 2 * (round + 1));
        assert_int_equal(kit_n_files(k, "segments", ".seg"), 0);
    }
    kit_check(k, "t");
    kit_crash(k);
    kit_check(k, "t");
    assert_int_equal(found(k, "t").n_object, 6);
    assert_int_equal(kit_n_files(k, "objects", ".seg"), 3);
}

static void test_flushing_nothing_is_done_at_once(void **state)
{
    struct kit *k = *state;
    flush_ok(k);
    assert_int_equal(kit_n_files(k, "objects", ".seg"), 0);
}

static void test_late_entries_and_ties_come_back_in_time_and_arrival_order(void **state)
{
    struct kit *k = *state;
    struct kit_entry v[] = {entry(A, T0 + 5, "late by none"), entry(A, T0 + 5, "a tie"),
                            entry(A, T0 + 1, "late"), entry(A, T0 + 5, "another tie")};
    kit_push_ok(k, v, 4, KIT_BODY);
    kit_check(k, "t");
    flush_ok(k);
    kit_check(k, "t");
    struct kit_entry w[] = {entry(A, T0 + 5, "a tie in a later segment"),
                            entry(A, T0 + 1, "late, later"), entry(A, T0 + 5, "a tie")};
    kit_push_ok(k, w, 3, KIT_CANONICAL);
    kit_check(k, "t");
    flush_ok(k);
    kit_check(k, "t");
    kit_crash(k);
    kit_check(k, "t");
}

static void test_exact_repeats_within_a_segment_are_stored_once(void **state)
{
    struct kit *k = *state;
    struct kit_entry v[] = {entry(A, T0, "x"), entry(A, T0, "y"), entry(A, T0, "x")};
    kit_push_ok(k, v, 3, KIT_BODY);
    assert_int_equal(found(k, "t").n_head, 3); /* only the newest entry is compared at once */
    kit_push_ok(k, v + 2, 1, KIT_BODY);
    assert_int_equal(found(k, "t").n_head, 3);
    flush_ok(k);
    assert_int_equal(found(k, "t").n_object, 2);
    kit_check(k, "t");
}

static void test_equal_lines_with_other_metadata_are_other_entries(void **state)
{
    struct kit *k = *state;
    struct kit_entry v[] = {entry(A, T0, "x"), entry(A, T0, "x"), entry(A, T0, "x")};
    v[1].sm = "{\"k\":\"1\"}";
    v[2].sm = "{\"k\":\"2\"}";
    kit_push_ok(k, v, 3, KIT_BODY);
    flush_ok(k);
    assert_int_equal(found(k, "t").n_object, 3);
    kit_check(k, "t");
}

static void test_entries_of_several_days_come_back_from_one_segment(void **state)
{
    struct kit *k = *state;
    k->limits.reject_old_samples = false;
    k->conf.max_chunk_age_ns = INT64_C(1000) * 86400 * NS_PER_S;
    kit_close(k);
    kit_must_open(k);
    for (unsigned day = 0; day < 4; day++) {
        struct kit_entry v = entry(A, T0 - day * INT64_C(86400) * NS_PER_S, "daily");
        kit_push_ok(k, &v, 1, KIT_BODY);
    }
    flush_ok(k);
    kit_check(k, "t");
    assert_int_equal(kit_n_files(k, "objects", ".seg"), 1);
    assert_int_equal(kit_n_files(k, "index", "data.mdb"), 4);
}

static void test_many_tenants_share_one_file(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < 300; i++) {
        struct kit_entry v = entry(A, T0, "hello");
        v.tenant = text_of(k, "tenant-%u", i);
        kit_push_ok(k, &v, 1, KIT_BODY);
    }
    flush_ok(k);
    assert_int_equal(kit_n_files(k, "objects", ".seg"), 1);
    kit_check(k, "tenant-0");
    kit_check(k, "tenant-299");
    kit_check(k, "tenant-30");
    assert_int_equal(found(k, "tenant-30").n_object, 1);
    assert_int_equal(found(k, "nobody").n_object, 0);
}

/* ---- refusals ---- */

static void test_what_is_too_far_behind_is_refused_and_stays_refused_after_a_crash(void **state)
{
    struct kit *k = *state;
    struct kit_entry v[] = {entry(A, T0, "new"), entry(A, T0 - 7200 * NS_PER_S, "too old"),
                            entry(A, T0 - 3600 * NS_PER_S, "just in time"),
                            entry(B, T0 - 7200 * NS_PER_S, "another stream")};
    struct kit_answer a = kit_push(k, v, 4, KIT_BODY);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(a.text, "entry too far behind, entry timestamp is: "
                                   "2023-11-14T20:13:20Z, oldest acceptable timestamp is: "
                                   "2023-11-14T21:13:20Z"));
    assert_non_null(strstr(a.text, "total ignored: 1 out of 3 for stream: {app=\"a\"}"));
    assert_int_equal(k->n_acked, 3);
    kit_check(k, "t");
    kit_crash(k);
    kit_check(k, "t");
    assert_int_equal(found(k, "t").n_head, 3);
}

static void test_streams_over_the_limit_are_refused_others_go_on(void **state)
{
    struct kit *k = *state;
    k->limits.max_global_streams_per_user = 1;
    struct kit_entry v[] = {entry(A, T0, "first"), entry(B, T0, "second stream"),
                            entry(A, T0 + 1, "first goes on")};
    struct kit_answer a = kit_push(k, v, 3, KIT_BODY);
    assert_int_equal(a.status, 429);
    assert_non_null(strstr(a.text, "maximum active stream limit exceeded when trying to create "
                                   "stream {app=\"b\", zone=\"1\"}"));
    assert_int_equal(k->n_acked, 2);
    kit_crash(k);
    kit_check(k, "t");
}

static void test_a_stream_over_its_rate_is_refused(void **state)
{
    struct kit *k = *state;
    k->limits.per_stream_rate_limit_bytes = 10;
    k->limits.per_stream_rate_limit_burst_bytes = 10;
    struct kit_entry v[] = {entry(A, T0, "12345678"), entry(A, T0 + 1, "12345678"),
                            entry(B, T0, "12345678")};
    struct kit_answer a = kit_push(k, v, 3, KIT_BODY);
    assert_int_equal(a.status, 429);
    assert_non_null(strstr(a.text, "Per stream rate limit exceeded (limit: 10B/sec)"));
    assert_int_equal(k->n_acked, 2);
    kit_check(k, "t");
}

static void test_a_full_disk_is_told_to_pushes_and_queries_go_on(void **state)
{
    struct kit *k = *state;
    struct kit_entry v = entry(A, T0, "before");
    kit_push_ok(k, &v, 1, KIT_BODY);
    kit_close(k);
    k->conf.disk_full_threshold = 1e-9;
    kit_must_open(k);
    struct kit_answer a = {0};
    for (unsigned i = 0; i < 100 && a.result == 0; i++) {
        usleep(50000);
        v.ts_ns++;
        a = kit_push(k, &v, 1, KIT_BODY);
    }
    assert_int_equal(a.result, ERR_DISK_FULL);
    assert_non_null(strstr(a.err.text, "disk_full_threshold"));
    kit_check(k, "t");
    assert_true(ingester_ready(k->in, NULL));
}

/* ---- full heads ---- */

/* One megabyte that compresses badly enough. */
static void push_megabyte(struct kit *k, unsigned number, struct kit_push **start)
{
    enum { LINES = 64, BYTES = 16 << 10 };
    static struct kit_entry v[LINES];
    uint64_t seed = number * 7919 + 1;
    for (unsigned i = 0; i < LINES; i++) {
        char *line = arena_alloc(&k->arena, BYTES + 1);
        for (unsigned b = 0; b < BYTES; b++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            line[b] = (char)('a' + (seed >> 60));
        }
        line[BYTES] = '\0';
        v[i] = entry(i % 2 ? A : B, T0 + number * INT64_C(1000) + i, line);
    }
    if (start)
        *start = kit_push_start(k, v, LINES, KIT_BODY);
    else
        kit_push_ok(k, v, LINES, KIT_BODY);
}

static void wait_until_spilled(struct kit *k)
{
    for (unsigned i = 0; i < 500 && found(k, "t").n_local == 0; i++)
        usleep(10000);
}

static void test_a_full_head_becomes_a_local_segment_by_itself(void **state)
{
    struct kit *k = *state;
    for (unsigned i = 0; i < 4; i++)
        push_megabyte(k, i, NULL);
    wait_until_spilled(k);
    kit_check(k, "t");
    struct kit_found f = found(k, "t");
    assert_true(f.n_local > 0);
    assert_int_equal(f.n_local + f.n_head, 4 * 64);
    kit_crash(k);
    kit_check(k, "t");
    f = found(k, "t");
    assert_int_equal(f.n_local + f.n_head, 4 * 64);
}

static void test_a_log_larger_than_a_head_is_replayed(void **state)
{
    struct kit *k = *state;
    k->conf.head_max_bytes = 64 << 20;
    kit_close(k);
    kit_must_open(k);
    for (unsigned i = 0; i < 8; i++)
        push_megabyte(k, i, NULL);
    assert_int_equal(found(k, "t").n_head, 8 * 64);
    k->conf.head_max_bytes = 2 << 20;
    kit_crash(k);
    kit_check(k, "t");
    struct kit_found f = found(k, "t");
    assert_int_equal(f.n_head + f.n_local, 8 * 64);
    assert_true(f.n_local > 0);
}

/* Calls on files of the folder that match fail, or wait. */
struct fault {
    const char *part;
    _Atomic int errnum;
    _Atomic bool hold;
};

static struct file_fault on_call(void *ctx, enum file_op op, const char *path, int fd)
{
    struct fault *f = ctx;
    if (op != FILE_OP_OPEN || !path || !strstr(path, f->part))
        return (struct file_fault){0};
    while (atomic_load(&f->hold))
        usleep(1000);
    return (struct file_fault){.errnum = atomic_load(&f->errnum)};
}

/* False: it waits. */
static bool is_answered_soon(struct kit_push *p)
{
    for (unsigned i = 0; i < 100 && !kit_push_is_done(p); i++)
        usleep(10000);
    return kit_push_is_done(p);
}

static void test_pushes_wait_while_both_heads_are_full_and_too_many_are_refused(void **state)
{
    struct kit *k = *state;
    enum { MOST = 16 };
    struct kit_push *waiting[MOST], *p;
    struct fault fault = {.part = "/segments/", .hold = true};
    file_fault_set(on_call, &fault);
    unsigned n = 0, number = 0;
    for (;; number++) { /* both heads */
        push_megabyte(k, number, &p);
        if (!is_answered_soon(p))
            break;
        assert_int_equal(kit_push_end(k, p).result, 0);
    }
    assert_in_range(number, 4, 8);
    for (; !kit_push_is_done(p); number++) {
        assert_in_range(n, 0, MOST - 1);
        waiting[n++] = p;
        push_megabyte(k, number + 1, &p);
    }
    assert_in_range(n, 2, 4);
    struct kit_answer a = kit_push_end(k, p);
    assert_int_equal(a.result, ERR_UNAVAILABLE);
    assert_non_null(strstr(a.err.text, "ingester.push_wait_max_bytes"));
    kit_check(k, "t"); /* queries are answered all the while */
    atomic_store(&fault.hold, false);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(kit_push_end(k, waiting[i]).result, 0);
    file_fault_set(NULL, NULL);
    kit_check(k, "t");
    kit_crash(k);
    kit_check(k, "t");
}

static void test_a_spill_that_fails_loses_nothing_and_is_tried_again(void **state)
{
    struct kit *k = *state;
    struct fault fault = {.part = "/segments/", .errnum = ENOSPC};
    file_fault_set(on_call, &fault);
    struct kit_answer a = {0};
    unsigned number = 0;
    for (; number < 50 && a.result == 0; number++) {
        struct kit_push *p;
        push_megabyte(k, number, &p);
        a = kit_push_end(k, p);
    }
    assert_int_equal(a.result, ERR_UNAVAILABLE);
    assert_non_null(strstr(a.err.text, "No space left on device"));
    kit_check(k, "t");
    assert_true(kit_flush(k, NULL) < 0);
    atomic_store(&fault.errnum, 0);
    for (unsigned i = 0; i < 100 && a.result < 0; i++, number++) {
        struct kit_push *p;
        usleep(100000);
        push_megabyte(k, number, &p);
        a = kit_push_end(k, p);
    }
    file_fault_set(NULL, NULL);
    assert_int_equal(a.result, 0);
    kit_check(k, "t");
    flush_ok(k);
    kit_check(k, "t");
    assert_int_equal(found(k, "t").n_object, k->n_acked);
}

static void test_a_flush_that_fails_leaves_local_segments_and_never_blocks_pushes(void **state)
{
    struct kit *k = *state;
    struct fault fault = {.part = "/objects/", .errnum = EIO};
    struct err err = ERR_INIT;
    file_fault_set(on_call, &fault);
    for (unsigned i = 0; i < 3; i++) {
        push_megabyte(k, i, NULL);
        assert_true(kit_flush(k, &err) < 0);
        assert_non_null(strstr(err.text, "Input/output error"));
    }
    kit_check(k, "t");
    assert_int_equal(found(k, "t").n_local, 3 * 64);
    file_fault_set(NULL, NULL);
    flush_ok(k);
    kit_check(k, "t");
    assert_int_equal(found(k, "t").n_object, 3 * 64);
    assert_int_equal(kit_n_files(k, "objects", ""), 1);
    assert_int_equal(kit_n_files(k, "segments", ""), 0);
}

static void test_a_flush_at_the_end_leaves_nothing_in_the_log(void **state)
{
    struct kit *k = *state;
    k->conf.flush_on_shutdown = true;
    kit_close(k);
    kit_must_open(k);
    push_megabyte(k, 0, NULL);
    kit_close(k);
    assert_int_equal(kit_n_files(k, "objects", ".seg"), 1);
    assert_int_equal(kit_n_files(k, "segments", ".seg"), 0);
    kit_must_open(k);
    assert_int_equal(found(k, "t").n_object, 64);
    kit_check(k, "t");
}

/* ---- left-overs ---- */

struct copied {
    struct buf key, bytes;
};

static int take_file(void *ctx, const struct object_info *info, struct err *err)
{
    struct copied *c = ctx;
    buf_clear(&c->key);
    buf_put(&c->key, info->key);
    return 0;
}

static void copy_only_object(struct object_store *s, struct copied *c)
{
    assert_int_equal(object_list(s, SV(""), take_file, c, NULL), 0);
    assert_int_equal(object_get(s, buf_view(&c->key), 1 << 30, &c->bytes, NULL), 0);
}

/* Leaves one local segment and its copy; the head is empty. */
static void make_local_segment(struct kit *k, struct copied *c)
{
    struct fault fault = {.part = "/objects/", .errnum = EIO};
    struct kit_entry v = entry(A, T0, "once");
    kit_push_ok(k, &v, 1, KIT_BODY);
    file_fault_set(on_call, &fault);
    assert_true(kit_flush(k, NULL) < 0);
    file_fault_set(NULL, NULL);
    copy_only_object(k->stores.local, c);
}

static void test_a_source_that_outlived_its_merge_goes_at_the_next_start(void **state)
{
    struct kit *k = *state;
    struct copied c = {0};
    make_local_segment(k, &c);
    flush_ok(k);
    assert_int_equal(kit_n_files(k, "segments", ".seg"), 0);
    assert_int_equal(object_put(k->stores.local, buf_view(&c.key), buf_view(&c.bytes), NULL), 0);
    assert_int_equal(object_put(k->stores.local, SV("2020-01-01/what.seg"), SV("not ours"), NULL),
                     0);
    kit_close(k);
    kit_must_open(k);
    assert_int_equal(kit_n_files(k, "segments", ".seg"), 0);
    assert_int_equal(
        object_get(k->stores.local, SV("2020-01-01/what.seg.damaged"), 100, &c.bytes, NULL), 0);
    kit_check(k, "t");
    assert_int_equal(found(k, "t").n_object, 1);
    buf_deinit(&c.key);
    buf_deinit(&c.bytes);
}

/* The object of a merge is lost, but one of its sources had not gone yet: it lives again. */
static void test_a_source_is_adopted_where_its_object_is_missing(void **state)
{
    struct kit *k = *state;
    struct copied c = {0}, object = {0};
    make_local_segment(k, &c);
    flush_ok(k);
    copy_only_object(k->stores.objects, &object);
    assert_int_equal(object_put(k->stores.local, buf_view(&c.key), buf_view(&c.bytes), NULL), 0);
    assert_int_equal(object_delete(k->stores.objects, buf_view(&object.key), NULL), 0);
    kit_close(k);
    kit_must_open(k);
    assert_int_equal(kit_n_files(k, "segments", ".seg"), 1);
    assert_int_equal(
        object_put(k->stores.objects, buf_view(&object.key), buf_view(&object.bytes), NULL), 0);
    kit_close(k);
    kit_must_open(k); /* what stands in both is read once, and the next merge takes the source */
    kit_check(k, "t");
    flush_ok(k);
    assert_int_equal(kit_n_files(k, "segments", ".seg"), 0);
    kit_check(k, "t");
    buf_deinit(&c.key);
    buf_deinit(&c.bytes);
    buf_deinit(&object.key);
    buf_deinit(&object.bytes);
}

static void test_a_damaged_local_segment_does_not_hold_up_the_others(void **state)
{
    struct kit *k = *state;
    struct copied c = {0};
    make_local_segment(k, &c);
    c.bytes.p[90] ^= 1; /* in the first chunk */
    assert_int_equal(object_put(k->stores.local, buf_view(&c.key), buf_view(&c.bytes), NULL), 0);
    struct kit_entry v = entry(B, T0, "sound");
    kit_push_ok(k, &v, 1, KIT_BODY);
    struct err err = ERR_INIT;
    assert_int_equal(kit_flush(k, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "1 damaged local segment"));
    assert_int_equal(kit_n_files(k, "segments", ".seg"), 1);
    assert_int_equal(kit_n_files(k, "objects", ".seg"), 1);
    buf_deinit(&c.key);
    buf_deinit(&c.bytes);
}

/* ---- readiness ---- */

static void test_a_failed_recovery_says_why_and_refuses(void **state)
{
    struct kit *k = *state;
    struct kit_entry v = entry(A, T0, "one");
    kit_push_ok(k, &v, 1, KIT_BODY);
    kit_close(k);
    struct fault fault = {.part = "/wal/", .errnum = EACCES};
    file_fault_set(on_call, &fault);
    struct err err = ERR_INIT;
    assert_int_equal(kit_open(k, &err), -EACCES);
    file_fault_set(NULL, NULL);
    CLEANUP(buf_deinit) struct buf why = BUF_INIT;
    assert_false(ingester_ready(k->in, &why));
    buf_put_u8(&why, 0);
    assert_non_null(strstr(why.p, "WAL replay: "));
    assert_int_equal(kit_push(k, &v, 1, KIT_BODY).result, ERR_UNAVAILABLE);
    assert_int_equal(kit_flush(k, NULL), ERR_UNAVAILABLE);
    kit_close(k);
    kit_must_open(k);
    kit_check(k, "t");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_was_acknowledged_is_read_at_once_and_after_a_crash),
        T(test_a_restart_without_a_crash_keeps_everything_too),
        T(test_a_flush_moves_everything_to_objects_exactly_once),
        T(test_flushing_nothing_is_done_at_once),
        T(test_late_entries_and_ties_come_back_in_time_and_arrival_order),
        T(test_exact_repeats_within_a_segment_are_stored_once),
        T(test_equal_lines_with_other_metadata_are_other_entries),
        T(test_entries_of_several_days_come_back_from_one_segment),
        T(test_many_tenants_share_one_file),
        T(test_what_is_too_far_behind_is_refused_and_stays_refused_after_a_crash),
        T(test_streams_over_the_limit_are_refused_others_go_on),
        T(test_a_stream_over_its_rate_is_refused),
        T(test_a_full_disk_is_told_to_pushes_and_queries_go_on),
        T(test_a_full_head_becomes_a_local_segment_by_itself),
        T(test_a_log_larger_than_a_head_is_replayed),
        T(test_pushes_wait_while_both_heads_are_full_and_too_many_are_refused),
        T(test_a_spill_that_fails_loses_nothing_and_is_tried_again),
        T(test_a_flush_that_fails_leaves_local_segments_and_never_blocks_pushes),
        T(test_a_flush_at_the_end_leaves_nothing_in_the_log),
        T(test_a_source_that_outlived_its_merge_goes_at_the_next_start),
        T(test_a_source_is_adopted_where_its_object_is_missing),
        T(test_a_damaged_local_segment_does_not_hold_up_the_others),
        T(test_a_failed_recovery_says_why_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
