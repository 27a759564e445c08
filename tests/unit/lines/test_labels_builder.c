/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lines/labels_builder.h"

struct fixture {
    struct labels_builder b;
    struct buf text;
};

static const struct label base_labels[] = {{SV("env"), SV("prod")}, {SV("svc"), SV("pay")}};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    labels_builder_init(&f->b);
    labels_builder_set_base(&f->b, (struct labels){base_labels, 2});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    labels_builder_deinit(&f->b);
    buf_deinit(&f->text);
    free(f);
    return 0;
}

static void assert_labels(struct fixture *f, const char *expected)
{
    struct labels l = labels_builder_result(&f->b);
    buf_clear(&f->text);
    for (size_t i = 0; i < l.n; i++)
        buf_printf(&f->text, "%s%.*s=%.*s", i ? " " : "", SV_ARG(l.v[i].name),
                   SV_ARG(l.v[i].value));
    buf_put_u8(&f->text, 0);
    assert_string_equal(f->text.p, expected);
}

static void test_metadata_that_clashes_with_the_stream_takes_the_suffix(void **state)
{
    struct fixture *f = *state;
    labels_builder_add_metadata(&f->b, SV("svc"), SV("sm"));
    labels_builder_add_metadata(&f->b, SV("tid"), SV("t9"));
    assert_labels(f, "env=prod svc=pay svc_extracted=sm tid=t9");
}

static void test_a_parsed_name_yields_to_stream_and_metadata(void **state)
{
    struct fixture *f = *state;
    labels_builder_add_metadata(&f->b, SV("tid"), SV("t9"));
    labels_builder_extract(&f->b, SV("svc"), SV("x"), EXTRACT_FIRST_WINS);
    labels_builder_extract(&f->b, SV("tid"), SV("y"), EXTRACT_FIRST_WINS);
    labels_builder_extract(&f->b, SV("a"), SV("1"), EXTRACT_FIRST_WINS);
    assert_labels(f, "a=1 env=prod svc=pay svc_extracted=x tid=t9 tid_extracted=y");
}

static void test_a_parsed_value_overwrites_metadata_under_the_suffix(void **state)
{
    struct fixture *f = *state;
    labels_builder_add_metadata(&f->b, SV("svc"), SV("sm"));
    labels_builder_extract(&f->b, SV("svc"), SV("parsed"), EXTRACT_FIRST_WINS);
    assert_labels(f, "env=prod svc=pay svc_extracted=parsed");
}

static void test_the_first_extraction_wins_even_after_a_drop(void **state)
{
    struct fixture *f = *state;
    labels_builder_extract(&f->b, SV("a"), SV("1"), EXTRACT_FIRST_WINS);
    labels_builder_extract(&f->b, SV("a"), SV("2"), EXTRACT_FIRST_WINS);
    assert_labels(f, "a=1 env=prod svc=pay");
    labels_builder_delete(&f->b, SV("a"));
    labels_builder_extract(&f->b, SV("a"), SV("3"), EXTRACT_FIRST_WINS);
    assert_labels(f, "env=prod svc=pay");
    labels_builder_extract(&f->b, SV("a"), SV("4"), EXTRACT_OVERWRITE);
    assert_labels(f, "a=4 env=prod svc=pay");
}

static void test_a_dropped_stream_label_keeps_its_claim_and_dropped_metadata_does_not(void **state)
{
    struct fixture *f = *state;
    labels_builder_add_metadata(&f->b, SV("tid"), SV("t"));
    labels_builder_delete(&f->b, SV("svc"));
    labels_builder_delete(&f->b, SV("tid"));
    labels_builder_extract(&f->b, SV("svc"), SV("n"), EXTRACT_FIRST_WINS);
    labels_builder_extract(&f->b, SV("tid"), SV("n"), EXTRACT_FIRST_WINS);
    assert_labels(f, "env=prod svc_extracted=n tid=n");
}

static void test_a_formatted_stream_label_becomes_parsed(void **state)
{
    struct fixture *f = *state;
    labels_builder_set(&f->b, SV("svc"), SV("pay2"));
    labels_builder_set(&f->b, SV("old"), SV("pay"));
    assert_labels(f, "env=prod old=pay svc=pay2");
    assert_int_equal(labels_builder_category(&f->b, SV("svc")), LABEL_PARSED);
    assert_int_equal(labels_builder_of(&f->b, LABEL_STREAM).n, 1);
    assert_int_equal(labels_builder_of(&f->b, LABEL_PARSED).n, 2);
    labels_builder_delete(&f->b, SV("svc"));
    assert_labels(f, "env=prod old=pay");
}

static void test_errors_show_as_parsed_labels_and_the_first_can_be_kept(void **state)
{
    struct fixture *f = *state;
    labels_builder_set_error(&f->b, SV("JSONParserErr"), SV(""));
    labels_builder_set_error_once(&f->b, SV("LabelFilterErr"), SV("x"));
    assert_labels(f, "__error__=JSONParserErr __error_details__= env=prod svc=pay");
    labels_builder_reset(&f->b);
    assert_labels(f, "env=prod svc=pay");
}

static void test_encoded_metadata_is_added_and_damage_is_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf e = BUF_INIT;
    struct label sm[] = {{SV("level"), SV("info")}, {SV("svc"), SV("q")}};
    labels_encode(&e, (struct labels){sm, 2});
    assert_true(labels_builder_add_encoded_metadata(&f->b, buf_view(&e)));
    assert_labels(f, "env=prod level=info svc=pay svc_extracted=q");
    for (size_t cut = 1; cut < e.len; cut++) {
        labels_builder_reset(&f->b);
        assert_false(labels_builder_add_encoded_metadata(&f->b, sv(e.p, cut)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_metadata_that_clashes_with_the_stream_takes_the_suffix),
        T(test_a_parsed_name_yields_to_stream_and_metadata),
        T(test_a_parsed_value_overwrites_metadata_under_the_suffix),
        T(test_the_first_extraction_wins_even_after_a_drop),
        T(test_a_dropped_stream_label_keeps_its_claim_and_dropped_metadata_does_not),
        T(test_a_formatted_stream_label_becomes_parsed),
        T(test_errors_show_as_parsed_labels_and_the_first_can_be_kept),
        T(test_encoded_metadata_is_added_and_damage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
