/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include "base/thread.h"
#include "chunk/head.h"
#include "store/view.h"

/* What the callbacks said. */
struct gone {
    _Atomic unsigned n_segments, n_doomed, n_heads;
    uint64_t last_generation;
    uint8_t last_name;
};

static void note_segment(void *ctx, const struct segment_info *info, bool doomed)
{
    struct gone *g = ctx;
    atomic_fetch_add(&g->n_segments, 1);
    atomic_fetch_add(&g->n_doomed, doomed);
    g->last_name = info->uuid.b[0];
}

static void note_head(void *ctx, struct generation *g)
{
    struct gone *gone = ctx;
    atomic_fetch_add(&gone->n_heads, 1);
    gone->last_generation = g->number;
    head_free(g->head);
}

static struct live_segment *segment(uint8_t name, uint64_t first_lsn, struct gone *g)
{
    struct lsn_range c = {.first = first_lsn, .last = first_lsn + 9};
    struct segment_info info = {
        .uuid = {{name}}, .generation = name, .coverage = &c, .n_coverage = 1, .key = SV("key")};
    return live_segment_new(&info, note_segment, g);
}

static struct generation *generation(uint64_t number, struct gone *g)
{
    return generation_new(head_new(), number, note_head, g);
}

static void apply(struct views *vs, struct live_segment *add, const uint8_t *remove,
                  size_t n_remove, bool doom)
{
    struct uuid names[8] = {{{0}}};
    for (size_t i = 0; i < n_remove; i++)
        names[i].b[0] = remove[i];
    struct views_change change = {.add = &add,
                                  .n_add = add != NULL,
                                  .remove = names,
                                  .n_remove = n_remove,
                                  .doom_removed = doom};
    views_apply(vs, &change);
    live_segment_unref(add);
}

static void test_a_pinned_view_does_not_change(void **state)
{
    struct gone g = {0};
    struct views *vs = views_new();
    struct view *empty = view_pin(vs);
    apply(vs, segment(1, 10, &g), NULL, 0, false);
    struct view *one = view_pin(vs);
    apply(vs, segment(2, 0, &g), (const uint8_t[]){1}, 1, false);
    struct view *two = view_pin(vs);
    assert_int_equal(empty->n_segments, 0);
    assert_int_equal(one->n_segments, 1);
    assert_int_equal(one->segments[0]->info.uuid.b[0], 1);
    assert_int_equal(two->n_segments, 1);
    assert_int_equal(two->segments[0]->info.uuid.b[0], 2);
    assert_int_equal(g.n_segments, 0);
    view_unpin(empty);
    assert_int_equal(g.n_segments, 0);
    view_unpin(one); /* the last that named segment 1 */
    assert_int_equal(g.n_segments, 1);
    assert_int_equal(g.last_name, 1);
    assert_int_equal(g.n_doomed, 0);
    view_unpin(two);
    views_free(vs);
    assert_int_equal(g.n_segments, 2);
}

static void test_segments_stand_in_coverage_order_and_are_found_by_name(void **state)
{
    struct gone g = {0};
    struct views *vs = views_new();
    uint64_t seed = 9;
    for (uint8_t i = 1; i <= 100; i++)
        apply(vs, segment(i, next_random(&seed) % 50, &g), NULL, 0, false);
    struct view *v = view_pin(vs);
    assert_int_equal(v->n_segments, 100);
    for (size_t i = 1; i < v->n_segments; i++)
        assert_true(segment_order(&v->segments[i - 1]->info, &v->segments[i]->info) < 0);
    for (size_t i = 0; i < v->n_segments; i++)
        assert_int_equal(view_find_segment(v, v->segments[i]->info.uuid), i);
    assert_true(view_find_segment(v, (struct uuid){{200}}) == SIZE_MAX);
    view_unpin(v);
    views_free(vs);
}

static void test_a_segment_added_twice_is_there_once(void **state)
{
    struct gone g = {0};
    struct views *vs = views_new();
    apply(vs, segment(1, 10, &g), NULL, 0, false);
    apply(vs, segment(1, 10, &g), NULL, 0, false);
    struct view *v = view_pin(vs);
    assert_int_equal(v->n_segments, 1);
    assert_int_equal(g.n_segments, 1); /* the second left at once */
    view_unpin(v);
    views_free(vs);
    assert_int_equal(g.n_segments, 2);
}

static void test_a_doomed_segment_says_so_when_its_last_view_goes(void **state)
{
    struct gone g = {0};
    struct views *vs = views_new();
    apply(vs, segment(1, 0, &g), NULL, 0, false);
    apply(vs, segment(2, 10, &g), NULL, 0, false);
    struct view *v = view_pin(vs), *w = view_pin(vs);
    apply(vs, NULL, (const uint8_t[]){1, 77}, 2, true); /* 77 is not there: no failure */
    assert_int_equal(g.n_segments, 0);
    assert_true(atomic_load(&v->segments[0]->doomed));
    assert_false(atomic_load(&v->segments[1]->doomed));
    view_unpin(v);
    assert_int_equal(g.n_segments, 0);
    view_unpin(w);
    assert_int_equal(g.n_doomed, 1);
    assert_int_equal(g.last_name, 1);
    views_free(vs);
    assert_int_equal(g.n_segments, 2);
    assert_int_equal(g.n_doomed, 1);
}

static void test_a_reference_of_ones_own_outlives_the_views(void **state)
{
    struct gone g = {0};
    struct views *vs = views_new();
    struct live_segment *s = segment(1, 0, &g);
    live_segment_ref(s);
    apply(vs, s, NULL, 0, false);
    views_free(vs);
    assert_int_equal(g.n_segments, 0);
    assert_true(sv_eq(s->info.key, SV("key")));
    assert_int_equal(s->info.coverage[0].last, 9);
    live_segment_unref(s);
    assert_int_equal(g.n_segments, 1);
    live_segment_unref(NULL);
    generation_unref(NULL);
    view_unpin(NULL);
}

static void set_heads(struct views *vs, struct generation *a, struct generation *b,
                      struct live_segment *add)
{
    struct views_change change = {.set_heads = true,
                                  .heads = {a, b},
                                  .n_heads = (a != NULL) + (b != NULL),
                                  .add = &add,
                                  .n_add = add != NULL};
    views_apply(vs, &change);
}

/* As the ingester does: active, then active and spilling, then a segment instead of the older. */
static void test_a_head_goes_when_its_last_view_goes(void **state)
{
    struct gone g = {0};
    struct views *vs = views_new();
    struct generation *first = generation(1, &g), *second = generation(2, &g);
    set_heads(vs, first, NULL, NULL);
    struct view *before = view_pin(vs);
    set_heads(vs, first, second, NULL);
    struct view *between = view_pin(vs);
    struct live_segment *s = segment(1, 0, &g);
    set_heads(vs, second, NULL, s);
    generation_unref(first);
    live_segment_unref(s);
    struct view *after = view_pin(vs);
    assert_int_equal(before->n_heads, 1);
    assert_int_equal(between->n_heads, 2);
    assert_int_equal(between->heads[0]->number, 1);
    assert_int_equal(between->heads[1]->number, 2);
    assert_int_equal(between->n_segments, 0);
    assert_int_equal(after->n_heads, 1);
    assert_int_equal(after->n_segments, 1);
    view_unpin(before);
    assert_int_equal(g.n_heads, 0);
    view_unpin(between);
    assert_int_equal(g.n_heads, 1);
    assert_int_equal(g.last_generation, 1);
    apply(vs, NULL, (const uint8_t[]){1}, 1, false); /* heads stay as they are */
    struct view *last = view_pin(vs);
    assert_int_equal(last->n_heads, 1);
    view_unpin(last);
    view_unpin(after);
    generation_unref(second);
    views_free(vs);
    assert_int_equal(g.n_heads, 2);
}

/* ---- threads ---- */

enum { N_KEPT = 8, N_CHANGES = 2000 };

/* Segment i is there with i + 1, or with neither: a change adds and removes them together. */
struct race {
    struct views *vs;
    struct gone gone;
    _Atomic bool stop;
    _Atomic unsigned n_pins;
};

static void note_quietly(void *ctx, const struct segment_info *info, bool doomed)
{
    struct gone *g = ctx;
    atomic_fetch_add(&g->n_segments, 1);
    atomic_fetch_add(&g->n_doomed, doomed);
}

static struct live_segment *numbered(uint32_t n, struct gone *g)
{
    struct lsn_range c = {.first = n, .last = n};
    struct segment_info info = {.coverage = &c, .n_coverage = 1};
    st_le32(info.uuid.b, n);
    return live_segment_new(&info, note_quietly, g);
}

static void pin_until_stopped(void *ctx)
{
    struct race *rc = ctx;
    while (!atomic_load(&rc->stop)) {
        struct view *v = view_pin(rc->vs);
        if (v->n_segments % 2 || v->n_segments > 2 * N_KEPT)
            abort();
        for (size_t i = 0; i < v->n_segments; i += 2) {
            uint32_t a = ld_le32(v->segments[i]->info.uuid.b);
            uint32_t b = ld_le32(v->segments[i + 1]->info.uuid.b);
            if (b != a + 1 || a % 2 || view_find_segment(v, v->segments[i]->info.uuid) != i)
                abort();
        }
        view_unpin(v);
        atomic_fetch_add(&rc->n_pins, 1);
    }
}

static void change_pairs(struct race *rc)
{
    for (uint32_t n = 0; n < N_CHANGES || atomic_load(&rc->n_pins) < 100; n++) {
        struct live_segment *add[2] = {numbered(2 * n, &rc->gone), numbered(2 * n + 1, &rc->gone)};
        struct uuid remove[2] = {{{0}}};
        st_le32(remove[0].b, 2 * (n - N_KEPT));
        st_le32(remove[1].b, 2 * (n - N_KEPT) + 1);
        struct views_change change = {.add = add,
                                      .n_add = 2,
                                      .remove = remove,
                                      .n_remove = n >= N_KEPT ? 2 : 0,
                                      .doom_removed = true};
        views_apply(rc->vs, &change);
        live_segment_unref(add[0]);
        live_segment_unref(add[1]);
    }
}

static void test_every_change_is_seen_whole_by_threads_that_pin(void **state)
{
    struct race rc = {.vs = views_new()};
    struct thread t[3];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(thread_start(&t[i], "pin", pin_until_stopped, &rc, NULL), 0);
    change_pairs(&rc);
    atomic_store(&rc.stop, true);
    for (unsigned i = 0; i < 3; i++)
        thread_join(&t[i]);
    struct view *v = view_pin(rc.vs);
    unsigned n_left = (unsigned)v->n_segments;
    view_unpin(v);
    assert_int_equal(n_left, 2 * N_KEPT);
    assert_int_equal(rc.gone.n_doomed, rc.gone.n_segments);
    unsigned n_doomed = rc.gone.n_doomed;
    views_free(rc.vs);
    assert_int_equal(rc.gone.n_segments, n_doomed + n_left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pinned_view_does_not_change),
        cmocka_unit_test(test_segments_stand_in_coverage_order_and_are_found_by_name),
        cmocka_unit_test(test_a_segment_added_twice_is_there_once),
        cmocka_unit_test(test_a_doomed_segment_says_so_when_its_last_view_goes),
        cmocka_unit_test(test_a_reference_of_ones_own_outlives_the_views),
        cmocka_unit_test(test_a_head_goes_when_its_last_view_goes),
        cmocka_unit_test(test_every_change_is_seen_whole_by_threads_that_pin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
