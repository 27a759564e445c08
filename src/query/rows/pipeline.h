/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - the stages of a selector, compiled: what can be tested on whole chunks is set
 * apart, the rest runs row by row.
 * Promise: line tests and rows together give what the stages give from left to right.  Line
 * filters that stand before any stage which changes the line come first; the others stay in place.
 * Threads: a pipeline is immutable and shared; each worker has a runner. */
#pragma once
#include "filter/label_test.h"
#include "filter/line_test.h"
#include "logql/ast.h"
#include "query/rows/label_need.h"
#include "query/rows/value_needle.h"

struct pipeline;
/* Borrows log, unwrap (NULL or not present: none), need (NULL: all labels) and control, which
 * bears what the stages hold (NULL: unbounded).  < 0, and *ret is not set: a stage does not compile
 * (ERR_INVALID), or as compile_charge(). */
int pipeline_new(struct pipeline **ret, const struct log_query *log, const struct unwrap *unwrap,
                 const struct label_need *need, struct query_control *control, struct err *err);
void pipeline_free(struct pipeline *p); /* after its runners; NULL is fine */

/* What the functions below return borrows the pipeline. */

/* Tests on the line as it was stored; the caller applies them before pipeline_runner_row(). */
const struct line_test *pipeline_line_tests(const struct pipeline *p, size_t *ret_n);
/* Label filters before any stage that changes labels: their verdict follows from the stream and
 * the stored metadata alone. */
const struct label_test *pipeline_first_label_tests(const struct pipeline *p, size_t *ret_n);

/* What lines must hold for label filters behind parsers to keep them. */
const struct value_needles *pipeline_value_needles(const struct pipeline *p);

enum pipeline_reads {
    PIPELINE_READS_LINE = 1 << 0,     /* rows need their line */
    PIPELINE_READS_METADATA = 1 << 1, /* rows need their metadata */
    PIPELINE_CHANGES_LINE = 1 << 2,
    PIPELINE_READS_TIME = 1 << 3, /* a template may ask for it */
};
unsigned pipeline_reads(const struct pipeline *p);
/* Verdict and labels of a row follow from its stream and metadata alone. */
bool pipeline_is_static(const struct pipeline *p);
/* Some stage can set an error. */
bool pipeline_may_fail(const struct pipeline *p);
/* Metadata keys that can matter to any row, perhaps none; NULL: all can. */
const struct name_list *pipeline_metadata(const struct pipeline *p);
/* False only when the leading label filters drop every row of that stream, whatever its metadata.
 */
bool pipeline_may_keep_stream(const struct pipeline *p, struct labels base,
                              struct regex_scratch *scratch);

struct pipeline_runner {
    const struct pipeline *p;
    struct labels_builder b;
    struct regex_scratch *scratch;
    struct str_view line; /* of the row, after the stages */
    int64_t ts_ns;
    double value;    /* of unwrap */
    struct buf text; /* what a format makes */
    struct label *reduced;
    size_t cap_reduced;
    uint64_t charged_bytes; /* of the row's arena, where one row made it large */
    bool failed;            /* over budget or to be stopped: no row passes any more */
    struct err err;
};
/* Borrows p.  A runner belongs to one thread. */
void pipeline_runner_init(struct pipeline_runner *r, const struct pipeline *p);
/* The query ended inside a row: every row since then was dropped, and this says why.  To be asked
 * before an answer is trusted. */
int pipeline_runner_check(const struct pipeline_runner *r, struct err *err);
/* What it holds by now beyond what it charged itself. */
size_t pipeline_runner_mem_bytes(const struct pipeline_runner *r);
void pipeline_runner_deinit(struct pipeline_runner *r);
/* The stream of the rows to come; borrows base. */
void pipeline_runner_stream(struct pipeline_runner *r, struct labels base);
/* False: dropped.  Line and metadata may be empty where pipeline_reads() says so; what the row
 * leaves in r lives until the next row. */
bool pipeline_runner_row(struct pipeline_runner *r, int64_t ts_ns, struct str_view line,
                         struct str_view sm);
/* The row's labels: all of them, or what `need` and unwrap leave; until the next row. */
struct labels pipeline_runner_labels(struct pipeline_runner *r);
/* The row carries an error that must fail a metric query. */
bool pipeline_runner_failed(const struct pipeline_runner *r);
