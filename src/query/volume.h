/* SPDX-License-Identifier: Apache-2.0 */
/* volume.h - line bytes per group of streams and bucket of time.  A run that lies in several
 * buckets gives each by its part of time. volume_init(); volume_add() per tenant; volume_finish();
 * read groups; volume_deinit(). Threads: one at a time. */
#pragma once
#include "query/lookup.h"

struct volume_ask {
    const struct str_view *names; /* sorted, each once: the labels that make a group */
    size_t n_names;
    bool by_all;    /* all labels of a stream make its group; names is not read */
    bool needs_all; /* leave out streams that lack one of names */
    bool by_name;   /* a group per label name instead of per label set */
    int64_t start_ns, end_ns;
    int64_t step_ns;     /* 0: one bucket */
    uint64_t max_groups; /* 0: any number */
};

struct volume_group {
    uint32_t set; /* number of its labels */
    uint64_t *buckets;
    uint64_t n_bytes;
    struct str_view text; /* of its labels */
};
struct volume {
    struct volume_ask ask;
    struct query_control *control; /* groups are charged here, and stay charged */
    struct arena arena;
    struct series_set sets;
    struct volume_group *groups; /* by number of the set until volume_finish() */
    size_t n_groups, cap_groups, n_buckets;
    uint32_t *members; /* group numbers of the streams, one after another */
    size_t n_members, cap_members;
    struct volume_stream {
        size_t first, n; /* of members */
    } * streams;
    size_t n_streams, cap_streams;
    int64_t base_ns; /* where the first bucket would begin: a multiple of step */
    int failed;      /* what volume_finish() returns */
    struct err err;
};
/* Borrows names and control. */
void volume_init(struct volume *v, const struct volume_ask *ask, struct query_control *control);
void volume_deinit(struct volume *v);
/* Errors of the lookup alone. */
int volume_add(struct volume *v, struct selection *s, struct err *err);
/* Sorts groups: most bytes first, then by text.  < 0: too many groups, or over the budget. */
int volume_finish(struct volume *v, struct err *err);
/* What a bucket is stamped with: a millisecond before the next begins; the last one: the end. */
int64_t volume_bucket_ts(const struct volume *v, size_t bucket);
