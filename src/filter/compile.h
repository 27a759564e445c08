/* SPDX-License-Identifier: Apache-2.0 */
/* compile.h - a query's regexes: a short one may be a long program, and a query has room for
 * thousands of them, so each is charged to the query as it is made, and searches end with the
 * query. Threads: one at a time. */
#pragma once
#include "base/control.h"
#include "regex/regex.h"

struct compile {
    struct arena *arena;           /* of what has no owner of its own */
    struct query_control *control; /* NULL: unbounded */
    uint64_t charged_bytes;        /* to be released with the stages */
};

/* `bytes` more are held.  Also asks whether the query is to end. */
int compile_charge(struct compile *c, uint64_t bytes, struct err *err);
/* As regex_compile(), charged; on failure *ret is NULL. */
int compile_regex(struct compile *c, struct str_view pattern, enum regex_mode mode,
                  struct regex **ret, struct err *err);
/* A scratch whose searches end when the query does: then ask query_check() before an answer is
 * trusted.  control may be NULL. */
struct regex_scratch *query_scratch_new(struct query_control *control);
