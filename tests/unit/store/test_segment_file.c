/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment_file.h"

#include "folder.h"
#include "segment_gen.h"
#include "store/object/object.h"

struct fixture {
    struct stores stores;
    struct segment_writer *w;
    struct arena arena;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->stores = (struct stores){object_mem_new(), object_mem_new()};
    f->w = segment_writer_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    stores_free(&f->stores);
    segment_writer_free(f->w);
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

static const struct segment_spec spec = {
    .n_tenants = 2, .n_periods = 1, .n_streams = 3, .n_rows = 4};

static struct segment_draft begin(struct fixture *f, enum segment_place place)
{
    struct segment_draft d = {.place = place, .key = SV("2026-03-01/one.seg")};
    d.header.generation = 7;
    d.header.level = place == PLACE_LOCAL ? SEGMENT_LOCAL : SEGMENT_OBJECT;
    assert_int_equal(segment_file_create(&d, &f->stores, f->w, NULL), 0);
    for (unsigned t = 0; t < spec.n_tenants; t++)
        spec_write_part(f->w, &spec, t, 0);
    return d;
}

static void finish(struct fixture *f, struct segment_draft *d)
{
    struct segment_coverage c = {.first = 1, .last = 9};
    assert_int_equal(segment_writer_finish(f->w, &c, 1, NULL, 0, &d->bytes, NULL), 0);
}

static int count(void *ctx, const struct object_info *info, struct err *err)
{
    (void)info;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned n_objects(struct object_store *s)
{
    unsigned n = 0;
    assert_int_equal(object_list(s, SV(""), count, &n, NULL), 0);
    return n;
}

static void test_what_was_committed_is_opened_from_its_place_alone(void **state)
{
    struct fixture *f = *state;
    for (enum segment_place place = PLACE_LOCAL; place <= PLACE_OBJECT; place++) {
        enum segment_place other = place == PLACE_LOCAL ? PLACE_OBJECT : PLACE_LOCAL;
        struct segment_draft d = begin(f, place);
        struct segment_file file;
        finish(f, &d);
        assert_int_equal(segment_file_open(&file, &f->stores, place, d.key, NULL), ERR_NOT_FOUND);
        assert_int_equal(segment_file_commit(&d, NULL), 0);
        assert_int_equal(segment_file_open(&file, &f->stores, other, d.key, NULL), ERR_NOT_FOUND);
        assert_int_equal(segment_file_open(&file, &f->stores, place, d.key, NULL), 0);
        assert_int_equal(file.segment->header.generation, 7);
        assert_int_equal(file.segment->n_parts, 2);
        assert_int_equal(file.segment->source.bytes, d.bytes);
        segment_file_close(&file);
        segment_file_close(&file); /* once more is fine */
        segment_file_abort(&d);    /* too late to undo it */
        assert_int_equal(n_objects(stores_of(&f->stores, place)), 1);
        assert_int_equal(object_delete(stores_of(&f->stores, place), d.key, NULL), 0);
    }
}

static void test_nothing_stays_of_one_that_was_given_up(void **state)
{
    struct fixture *f = *state;
    struct segment_draft d = begin(f, PLACE_LOCAL);
    segment_file_abort(&d);
    segment_file_abort(&d);
    assert_int_equal(n_objects(f->stores.local), 0);
    d = begin(f, PLACE_LOCAL); /* the writer can be used again */
    finish(f, &d);
    assert_int_equal(segment_file_commit(&d, NULL), 0);
    assert_int_equal(n_objects(f->stores.local), 1);
}

static void test_what_is_no_segment_does_not_open(void **state)
{
    struct fixture *f = *state;
    struct segment_file file;
    assert_int_equal(object_put(f->stores.local, SV("x.seg"), SV("not a segment"), NULL), 0);
    assert_int_equal(segment_file_open(&file, &f->stores, PLACE_LOCAL, SV("x.seg"), NULL),
                     ERR_CORRUPT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_was_committed_is_opened_from_its_place_alone),
        T(test_nothing_stays_of_one_that_was_given_up),
        T(test_what_is_no_segment_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
