/* SPDX-License-Identifier: Apache-2.0 */
/* compile.h - a query's regexes: a short one may be a long program, and a query has room for
 * thousands of them, so each is charged to the query as it is made, and searches end with the
 * query.
 * Threads: one at a time compiles; a scratch belongs to one thread. */
#pragma once
#include "base/control.h"
#include "regex/regex.h"

struct compile {
    struct arena *arena;           /* of what has no owner of its own */
    struct query_control *control; /* NULL: unbounded */
    uint64_t charged_bytes;        /* the owner of what was compiled releases them with it */
};

/* `bytes` more are held.  < 0: no memory for the query, or it is to end. */
int compile_charge(struct compile *c, uint64_t bytes, struct err *err);
/* As regex_compile(), charged.  *ret is the caller's (regex_unref), NULL on failure: ERR_INVALID
 * with the regex's own text, or as compile_charge(). */
int compile_regex(struct compile *c, struct str_view pattern, enum regex_mode mode,
                  struct regex **ret, struct err *err);
/* A scratch whose searches end when the query does, with any result: then ask query_check() before
 * an answer is trusted.  control is borrowed and may be NULL; freed with regex_scratch_free(). */
struct regex_scratch *query_scratch_new(struct query_control *control);
