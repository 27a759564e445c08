/* SPDX-License-Identifier: Apache-2.0 */
/* regexp.h - `| regexp "(?P<name>re)"`: the named groups of the first match. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "lines/emit.h"

struct regex;
struct regex_scratch;

struct regexp_stage {
    struct regex *re;             /* owned */
    const struct str_view *names; /* per group, sanitised; empty for unnamed ones */
    size_t n_groups;              /* the whole match included */
};

/* names lie in the arena. */
int regexp_stage_init(struct regexp_stage *s, struct arena *a, struct str_view pattern,
                      struct err *err);
void regexp_stage_deinit(struct regexp_stage *s);
/* Emits every named group, empty where it took no part; nothing when the line does not match. */
void regexp_extract(const struct regexp_stage *s, struct regex_scratch *regex_scratch,
                    struct str_view line, struct arena *scratch, emit_fn *emit, void *ctx);
