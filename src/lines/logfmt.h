/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt.h - `| logfmt`: key=value pairs of one line.
 * Time is linear in the line; the scratch arena takes unescaped values and odd keys.  Any bytes
 * are safe. */
#pragma once
#include "base/arena.h"
#include "lines/emit.h"

struct logfmt_flags {
    bool strict;     /* stop at the first fault; else the pair is skipped without a word */
    bool keep_empty; /* bare keys, `k=` and `k=""` are emitted too */
};

/* Pairs in line order.  LINE_E_FAULT only when strict, with
 * `logfmt syntax error at pos 31 : unexpected '='`. */
int logfmt_parse(struct str_view line, struct logfmt_flags flags, struct arena *scratch,
                 emit_fn *emit, void *ctx, struct str_view *ret_details);

/* One `dst="key"`. */
struct logfmt_wanted {
    struct str_view dst, key;
};
/* values[i] is the last value whose sanitised key is wanted[i].key or wanted[i].dst; p == NULL
 * where there was none.  Faults as above. */
int logfmt_extract(struct str_view line, bool strict, const struct logfmt_wanted *wanted, size_t n,
                   struct arena *scratch, struct str_view *values, struct str_view *ret_details);
