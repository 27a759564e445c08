/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline_impl.h - a pipeline from inside; only pipeline*.c include it. */
#pragma once
#include "lines/json.h"
#include "lines/logfmt.h"
#include "lines/regexp.h"
#include "query/rows/pipeline.h"
#include "template/template.h"

struct step_format {
    const struct label_format *from;
    struct template *template;
};

struct step {
    const struct stage *stage;
    union {
        struct line_test line;
        struct label_test label;
        struct regexp_stage regexp;
        struct pattern pattern;
        struct template *template;
        struct {
            struct json_paths paths;
            const struct str_view *dst; /* of each */
            size_t n;                   /* 0: everything is extracted */
        } json;
        struct {
            struct logfmt_wanted *v;
            size_t n; /* 0: as above */
        } logfmt;
        struct {
            struct step_format *v;
            size_t n;
        } format;
        struct {
            struct named_test *v;
            size_t n;
        } named;
    };
    /* Parsers: stop once these are found (logql.md 3.12); extract nothing when there are none. */
    bool limited;
    struct name_list wanted;
};

struct pipeline {
    struct arena arena;
    struct compile compile;      /* charged until the end */
    const struct unwrap *unwrap; /* NULL: none */
    struct label_need need;
    struct line_test *line_tests;
    size_t n_line_tests;
    struct step *steps;
    size_t n_steps;
    size_t n_first_label_tests; /* copies of the first steps' */
    struct label_test *first_labels;
    struct label_test *post_filters;
    size_t n_post_filters;
    struct value_needles value_needles;
    unsigned reads;
    bool is_static, may_fail, error_is_needed;
    struct name_list names;    /* that stages, unwrap and need ask for */
    bool any_name;             /* or all of them */
    struct name_list metadata; /* keys to be read, unless any_name */
};

/* Which names the stages from `from` on, unwrap and need read; *ret_any when it may be any. */
void pipeline_names(struct pipeline *p, const struct log_query *log, size_t from,
                    struct name_list *ret, bool *ret_any);
bool stage_changes_line(enum stage_kind k);
bool stage_is_parser(enum stage_kind k);

int step_compile(struct pipeline *p, struct step *s, const struct stage *stage, struct err *err);
void step_deinit(struct step *s);
/* Work that may be much for one row: charges what the row's labels hold by now, and asks whether
 * the query is to end.  False: it is. */
bool pipeline_runner_spend(struct pipeline_runner *r);
/* False drops the row. */
bool step_run(struct pipeline_runner *r, const struct step *s);
void step_parse(struct pipeline_runner *r, const struct step *s);
