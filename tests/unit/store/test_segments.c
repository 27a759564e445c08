/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <errno.h>

#include "base/ledger.h"
#include "base/thread.h"
#include "chunk/filter.h"
#include "segment_gen.h"
#include "store/object/object.h"
#include "store/segments.h"
#include "store/view.h"

enum { MAX_SEGMENTS = 16 };

/* Counts what passes, on the way to a store in memory. */
struct counting {
    struct object_store base;
    struct object_store *inner;
    struct object_ops ops;
    _Atomic uint64_t n_opens, n_open, n_reads;
    _Atomic bool fail;
};
static struct counting *counting_now; /* of the running test */

struct counted_reader {
    struct object_reader base;
    struct object_reader *inner;
};

static int counted_open(struct object_store *s, struct str_view key, struct object_reader **ret,
                        struct err *err)
{
    struct counting *c = (struct counting *)s;
    struct object_reader *inner;
    atomic_fetch_add(&c->n_opens, 1);
    int r = object_open(c->inner, key, &inner, err);
    if (r < 0)
        return r;
    struct counted_reader *o = mem_zalloc(1, sizeof *o);
    o->base = (struct object_reader){&c->ops, object_bytes(inner)};
    o->inner = inner;
    atomic_fetch_add(&c->n_open, 1);
    *ret = &o->base;
    return 0;
}

static int counted_pread(struct object_reader *r, void *to, size_t len, uint64_t at,
                         struct err *err)
{
    atomic_fetch_add(&counting_now->n_reads, 1);
    if (atomic_load(&counting_now->fail))
        return err_set(err, -EIO, "the disk is broken");
    return object_pread(((struct counted_reader *)r)->inner, to, len, at, err);
}

static void counted_close(struct object_reader *r)
{
    atomic_fetch_sub(&counting_now->n_open, 1);
    object_close(((struct counted_reader *)r)->inner);
    free(r);
}

struct fixture {
    struct counting store;
    struct arena arena;
    struct ledger ledger;
    struct segments *cache;
    struct live_segment *live[MAX_SEGMENTS];
    struct segment_info info[MAX_SEGMENTS];
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->store.ops =
        (struct object_ops){.open = counted_open, .pread = counted_pread, .close = counted_close};
    f->store.base.ops = &f->store.ops;
    f->store.inner = object_mem_new();
    counting_now = &f->store;
    ledger_init(&f->ledger, UINT64_C(1) << 30);
    for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
        struct segment_spec s = {.uuid = {{(uint8_t)(i + 1), 7}},
                                 .generation = i + 1,
                                 .n_tenants = 2,
                                 .n_periods = 1,
                                 .n_streams = 4,
                                 .n_rows = 200,
                                 .max_chunk_rows = 100,
                                 .coverage = {.first = i + 1, .last = i + 1}};
        spec_put(f->store.inner, PLACE_LOCAL, &s, &f->arena, &f->info[i]);
        f->live[i] = live_segment_new(&f->info[i], NULL, NULL);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    segments_free(f->cache);
    assert_int_equal(ledger_used(&f->ledger), 0);
    assert_int_equal(atomic_load(&f->store.n_open), 0);
    for (unsigned i = 0; i < MAX_SEGMENTS; i++)
        live_segment_unref(f->live[i]);
    object_store_free(f->store.inner);
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

static void make_cache(struct fixture *f, uint64_t max_bytes, unsigned max_open)
{
    f->cache = segments_new(&(struct segments_conf){.stores = {.local = &f->store.base},
                                                    .ledger = &f->ledger,
                                                    .max_bytes = max_bytes,
                                                    .max_open = max_open});
}

static struct open_segment *get(struct fixture *f, unsigned i)
{
    struct open_segment *o = NULL;
    struct err err = ERR_INIT;
    int r = segments_get(f->cache, f->live[i], &o, &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    return o;
}

static const struct part *part_of(struct open_segment *o, uint32_t no)
{
    const struct part *p = NULL;
    assert_int_equal(open_segment_part(o, no, &p, NULL), 0);
    return p;
}

static void test_a_segment_is_opened_once_and_its_parts_are_read_once(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *a = get(f, 0), *b = get(f, 0);
    assert_ptr_equal(a, b);
    assert_int_equal(atomic_load(&f->store.n_opens), 1);
    assert_int_equal(open_segment_file(a)->n_parts, 2);
    const struct part *p = part_of(a, 1);
    uint64_t n_reads = atomic_load(&f->store.n_reads);
    assert_ptr_equal(part_of(b, 1), p);
    assert_int_equal(atomic_load(&f->store.n_reads), n_reads);
    assert_int_equal(p->n_streams, 4);
    segments_put(f->cache, a);
    segments_put(f->cache, b);
    a = get(f, 0); /* still open */
    assert_int_equal(atomic_load(&f->store.n_opens), 1);
    assert_ptr_equal(part_of(a, 1), p);
    segments_put(f->cache, a);
}

static void test_chunks_are_read_from_the_source_of_their_part(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 3);
    struct chunk_decoder *d = chunk_decoder_new();
    for (uint32_t no = 0; no < 2; no++) {
        const struct part *p = part_of(o, no);
        struct chunk_source source = chunk_source_of(open_segment_source(o, no));
        chunk_decoder_set(d, &source, &p->chunks[0]);
        struct chunk_lines lines;
        assert_int_equal(chunk_decoder_lines(d, &lines, NULL), 0);
        char expected[64];
        snprintf(expected, sizeof expected, "line 0 of stream 0, tenant %u, id 00000000", no);
        assert_true(sv_eq(chunk_line(&lines, 0), sv_of(expected)));
    }
    chunk_decoder_free(d);
    segments_put(f->cache, o);
}

static void test_all_filters_of_a_part_come_in_one_read(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 0);
    const struct part *p = part_of(o, 0);
    assert_int_equal(p->n_chunks, 8);
    uint64_t n_reads = atomic_load(&f->store.n_reads);
    struct filter_needle in, out;
    filter_needle_init(&in, SV("stream 3, tenant 0"), false);
    filter_needle_init(&out, SV("quite another line"), false);
    for (uint32_t c = 0; c < p->n_chunks; c++) {
        struct str_view v;
        assert_int_equal(open_segment_filter(o, 0, c, &v, NULL), 0);
        uint32_t bits = p->chunks[c].filter_bits;
        assert_int_equal(v.len, (bits + 7) / 8);
        assert_true(v.len > 0);
        if (c >= 6) /* the others hold lines so alike that chance decides */
            assert_true(filter_may_contain(v, bits, true, &in));
        assert_false(filter_may_contain(v, bits, true, &out));
    }
    assert_int_equal(atomic_load(&f->store.n_reads), n_reads + 1);
    filter_needle_deinit(&in);
    filter_needle_deinit(&out);
    segments_put(f->cache, o);
}

static void test_what_a_segment_holds_is_charged_until_it_leaves(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 0);
    uint64_t footer = ledger_used_by(&f->ledger, LEDGER_CACHES);
    assert_true(footer >= open_segment_file(o)->mem_bytes);
    const struct part *p = part_of(o, 0);
    uint64_t with_part = ledger_used_by(&f->ledger, LEDGER_CACHES);
    assert_int_equal(with_part, footer + p->mem_bytes);
    struct str_view v;
    assert_int_equal(open_segment_filter(o, 0, 0, &v, NULL), 0);
    assert_true(ledger_used_by(&f->ledger, LEDGER_CACHES) >= with_part + p->filters_bytes);
    segments_put(f->cache, o);
    segments_forget(f->cache, f->info[0].uuid);
    assert_int_equal(ledger_used(&f->ledger), 0);
}

static void test_the_longest_unused_segments_are_closed_first(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 2);
    for (unsigned i = 0; i < 3; i++)
        segments_put(f->cache, get(f, i));
    assert_int_equal(atomic_load(&f->store.n_open), 2);
    segments_put(f->cache, get(f, 1)); /* now 2 is older than 1 */
    segments_put(f->cache, get(f, 3));
    assert_int_equal(atomic_load(&f->store.n_opens), 4);
    segments_put(f->cache, get(f, 1));
    assert_int_equal(atomic_load(&f->store.n_opens), 4);
    segments_put(f->cache, get(f, 2));
    assert_int_equal(atomic_load(&f->store.n_opens), 5);
}

static void test_unused_segments_hold_no_more_than_max_bytes(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 0);
    part_of(o, 0);
    uint64_t one = ledger_used(&f->ledger);
    segments_put(f->cache, o);
    segments_free(f->cache);
    make_cache(f, 3 * one, 0);
    for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
        o = get(f, i);
        part_of(o, 0);
        segments_put(f->cache, o);
    }
    assert_int_equal(atomic_load(&f->store.n_open), 3);
    assert_int_equal(ledger_used(&f->ledger), 3 * one);
}

static void test_held_segments_stay_open_whatever_the_limits(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 1, 1);
    struct open_segment *held[MAX_SEGMENTS];
    for (unsigned i = 0; i < MAX_SEGMENTS; i++)
        held[i] = get(f, i);
    assert_int_equal(atomic_load(&f->store.n_open), MAX_SEGMENTS);
    for (unsigned i = 0; i < MAX_SEGMENTS; i++)
        assert_memory_equal(open_segment_file(held[i])->header.uuid, f->info[i].uuid.b, UUID_BYTES);
    for (unsigned i = 0; i < MAX_SEGMENTS; i++)
        segments_put(f->cache, held[i]);
    assert_int_equal(atomic_load(&f->store.n_open), 0);
}

static void test_a_forgotten_segment_stays_valid_for_its_holder_alone(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 0);
    segments_forget(f->cache, f->info[0].uuid);
    segments_forget(f->cache, f->info[0].uuid);
    assert_int_equal(part_of(o, 0)->n_streams, 4);
    struct open_segment *again = get(f, 0);
    assert_ptr_not_equal(again, o);
    segments_put(f->cache, o);
    assert_int_equal(atomic_load(&f->store.n_open), 1);
    segments_put(f->cache, again);
    segments_forget(f->cache, f->info[0].uuid);
    assert_int_equal(atomic_load(&f->store.n_open), 0);
}

static void test_a_missing_file_is_not_found(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    object_delete(f->store.inner, f->info[2].key, NULL);
    struct open_segment *o;
    struct err err = ERR_INIT;
    assert_int_equal(segments_get(f->cache, f->live[2], &o, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "segment '1970-01-01/03070000"));
    assert_int_equal(ledger_used(&f->ledger), 0);
}

static void test_a_file_of_another_segment_is_corrupt(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    object_get(f->store.inner, f->info[1].key, 1 << 20, &b, NULL);
    object_put(f->store.inner, f->info[2].key, buf_view(&b), NULL);
    struct open_segment *o;
    assert_int_equal(segments_get(f->cache, f->live[2], &o, NULL), ERR_CORRUPT);
}

static void test_a_failed_read_is_tried_again_by_the_next_call(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o;
    atomic_store(&f->store.fail, true);
    assert_int_equal(segments_get(f->cache, f->live[0], &o, NULL), -EIO);
    assert_int_equal(ledger_used(&f->ledger), 0);
    atomic_store(&f->store.fail, false);
    o = get(f, 0);
    atomic_store(&f->store.fail, true);
    const struct part *p;
    struct str_view v;
    uint64_t before = ledger_used(&f->ledger);
    assert_int_equal(open_segment_part(o, 0, &p, NULL), -EIO);
    assert_int_equal(ledger_used(&f->ledger), before);
    atomic_store(&f->store.fail, false);
    p = part_of(o, 0);
    atomic_store(&f->store.fail, true);
    assert_int_equal(open_segment_filter(o, 0, 0, &v, NULL), -EIO);
    atomic_store(&f->store.fail, false);
    assert_int_equal(open_segment_filter(o, 0, 0, &v, NULL), 0);
    assert_true(v.len > 0);
    segments_put(f->cache, o);
}

static void test_a_part_number_that_the_footer_lacks_is_corrupt(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 0);
    const struct part *p;
    assert_int_equal(open_segment_part(o, 2, &p, NULL), ERR_CORRUPT);
    segments_put(f->cache, o);
}

static void test_when_memory_is_short_filters_are_read_one_by_one(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    struct open_segment *o = get(f, 0);
    const struct part *p = part_of(o, 0);
    uint64_t rest = f->ledger.ceiling_bytes - ledger_used(&f->ledger);
    ledger_charge(&f->ledger, LEDGER_HEADS, rest);
    struct str_view v;
    uint64_t n_reads = atomic_load(&f->store.n_reads);
    for (uint32_t c = 0; c < p->n_chunks; c++) {
        CLEANUP(buf_deinit) struct buf expected = BUF_INIT;
        assert_int_equal(
            segment_read_filter(open_segment_source(o, 0), &p->chunks[c], &expected, NULL), 0);
        assert_int_equal(open_segment_filter(o, 0, c, &v, NULL), 0);
        assert_true(v.len > 0 && sv_eq(v, buf_view(&expected)));
    }
    assert_int_equal(atomic_load(&f->store.n_reads), n_reads + 2 * p->n_chunks);
    assert_int_equal(atomic_load(&f->ledger.n_refused), 1); /* memory is asked for once */
    const struct part *other;
    assert_int_equal(open_segment_part(o, 1, &other, NULL), ERR_UNAVAILABLE);
    struct open_segment *o2;
    assert_int_equal(segments_get(f->cache, f->live[1], &o2, NULL), ERR_UNAVAILABLE);
    ledger_release(&f->ledger, LEDGER_HEADS, rest);
    /* Whoever holds it next is asked for again. */
    assert_ptr_equal(get(f, 0), o);
    assert_int_equal(open_segment_filter(o, 0, 0, &v, NULL), 0);
    n_reads = atomic_load(&f->store.n_reads);
    assert_int_equal(open_segment_filter(o, 0, 1, &v, NULL), 0);
    assert_int_equal(atomic_load(&f->store.n_reads), n_reads);
    segments_put(f->cache, o);
    segments_put(f->cache, o);
}

static void hold_all(struct fixture *f, struct open_segment **held)
{
    for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
        held[i] = get(f, i);
        part_of(held[i], 0);
    }
}

static void put_all(struct fixture *f, struct open_segment **held)
{
    for (unsigned i = 0; i < MAX_SEGMENTS; i++)
        segments_put(f->cache, held[i]);
}

static void test_held_segments_keep_no_more_filters_than_twice_the_limit(void **state)
{
    struct fixture *f = *state;
    struct open_segment *held[MAX_SEGMENTS];
    make_cache(f, 0, 0);
    hold_all(f, held);
    uint64_t without = ledger_used(&f->ledger);
    uint64_t filters = part_of(held[0], 0)->filters_bytes;
    put_all(f, held);
    segments_free(f->cache);
    make_cache(f, (without + 5 * filters) / 2, 0);
    hold_all(f, held);
    for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
        struct str_view v;
        assert_int_equal(open_segment_filter(held[i], 0, 0, &v, NULL), 0);
        assert_true(v.len > 0);
    }
    assert_true(ledger_used(&f->ledger) > without + 3 * filters);
    assert_true(ledger_used(&f->ledger) <= without + 5 * filters);
    put_all(f, held);
    assert_true(ledger_used(&f->ledger) <= (without + 5 * filters) / 2);
}

/* Of all that are held, and read again and again. */
static void test_more_segments_can_be_held_than_files_may_be_open(void **state)
{
    struct fixture *f = *state;
    f->cache =
        segments_new(&(struct segments_conf){.stores = {.local = &f->store.base}, .max_files = 3});
    struct open_segment *held[MAX_SEGMENTS];
    for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
        held[i] = get(f, i);
        assert_true(atomic_load(&f->store.n_open) <= 3);
    }
    for (uint32_t no = 0; no < 2; no++)
        for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
            assert_int_equal(part_of(held[i], no)->n_streams, 4);
            assert_true(atomic_load(&f->store.n_open) <= 3);
        }
    uint64_t n_opens = atomic_load(&f->store.n_opens);
    assert_true(n_opens >= 3 * MAX_SEGMENTS - 6);
    struct str_view v; /* the last ones read are still open */
    assert_int_equal(open_segment_filter(held[MAX_SEGMENTS - 1], 0, 0, &v, NULL), 0);
    assert_int_equal(atomic_load(&f->store.n_opens), n_opens);
    object_delete(f->store.inner, f->info[0].key, NULL);
    assert_int_equal(open_segment_filter(held[0], 0, 0, &v, NULL), ERR_NOT_FOUND);
    put_all(f, held);
}

static void test_unused_segments_make_room_before_memory_is_short(void **state)
{
    struct fixture *f = *state;
    make_cache(f, 0, 0);
    for (unsigned i = 1; i < MAX_SEGMENTS; i++) {
        struct open_segment *o = get(f, i);
        part_of(o, 0);
        segments_put(f->cache, o);
    }
    uint64_t rest = f->ledger.ceiling_bytes - ledger_used(&f->ledger);
    ledger_charge(&f->ledger, LEDGER_HEADS, rest);
    struct open_segment *o = get(f, 0);
    assert_int_equal(part_of(o, 0)->n_streams, 4);
    assert_true(atomic_load(&f->store.n_open) < MAX_SEGMENTS);
    assert_true(ledger_used(&f->ledger) <= f->ledger.ceiling_bytes);
    segments_put(f->cache, o);
    ledger_release(&f->ledger, LEDGER_HEADS, rest);
}

struct worker {
    struct fixture *f;
    uint64_t seed;
    struct thread thread;
};

static void read_around(void *ctx)
{
    struct worker *w = ctx;
    struct fixture *f = w->f;
    for (unsigned n = 0; n < 400; n++) {
        unsigned i = (unsigned)(next_random(&w->seed) % MAX_SEGMENTS);
        struct open_segment *o = get(f, i);
        uint32_t no = (uint32_t)(next_random(&w->seed) & 1);
        const struct part *p = part_of(o, no);
        for (uint32_t c = 0; c < p->n_chunks; c++) {
            struct str_view v;
            assert_int_equal(open_segment_filter(o, no, c, &v, NULL), 0);
            assert_int_equal(v.len, (p->chunks[c].filter_bits + 7) / 8);
        }
        assert_int_equal(open_segment_source(o, no)->offset, p->info.offset);
        if (next_random(&w->seed) % 16 == 0)
            segments_forget(f->cache, f->info[i].uuid);
        segments_put(f->cache, o);
    }
}

static void test_many_threads_get_put_and_forget(void **state)
{
    struct fixture *f = *state;
    f->cache = segments_new(&(struct segments_conf){
        .stores = {.local = &f->store.base}, .ledger = &f->ledger, .max_open = 4, .max_files = 2});
    struct worker w[4];
    for (unsigned i = 0; i < 4; i++) {
        w[i] = (struct worker){.f = f, .seed = i + 1};
        assert_int_equal(thread_start(&w[i].thread, "reader", read_around, &w[i], NULL), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        thread_join(&w[i].thread);
    assert_true(atomic_load(&f->store.n_open) <= 2);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_segment_is_opened_once_and_its_parts_are_read_once),
        T(test_chunks_are_read_from_the_source_of_their_part),
        T(test_all_filters_of_a_part_come_in_one_read),
        T(test_what_a_segment_holds_is_charged_until_it_leaves),
        T(test_the_longest_unused_segments_are_closed_first),
        T(test_unused_segments_hold_no_more_than_max_bytes),
        T(test_held_segments_stay_open_whatever_the_limits),
        T(test_a_forgotten_segment_stays_valid_for_its_holder_alone),
        T(test_a_missing_file_is_not_found),
        T(test_a_file_of_another_segment_is_corrupt),
        T(test_a_failed_read_is_tried_again_by_the_next_call),
        T(test_a_part_number_that_the_footer_lacks_is_corrupt),
        T(test_when_memory_is_short_filters_are_read_one_by_one),
        T(test_held_segments_keep_no_more_filters_than_twice_the_limit),
        T(test_more_segments_can_be_held_than_files_may_be_open),
        T(test_unused_segments_make_room_before_memory_is_short),
        T(test_many_threads_get_put_and_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
