/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - `<verb> <path> <_>`: literal text and captures, as a parser and as a line filter.
 * The tree borrows its text and lies in the arena; matching allocates nothing and takes time
 * linear in the line.  Immutable once parsed: threads may share it. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"
#include "lines/emit.h"

struct pattern_token {
    struct str_view text; /* the literal, or the capture's name: empty for <_> */
    bool is_capture;
};

struct pattern {
    const struct pattern_token *v; /* no two literals and no two captures side by side */
    size_t n;
};

enum pattern_use {
    PATTERN_EXTRACT, /* `| pattern`: at least one named capture, names once each */
    PATTERN_FILTER,  /* `|>`: only <_>; may be empty */
};

/* ERR_INVALID with Loki's text for the cause. */
int pattern_parse(struct arena *a, struct str_view text, enum pattern_use use, struct pattern *ret,
                  struct err *err);

/* As `|>`: an empty pattern matches the empty line alone, captures are never empty, the first
 * literal may stand anywhere, the last one ends the line. */
bool pattern_matches(const struct pattern *p, struct str_view line);

/* As `| pattern`: a leading literal starts the line; a capture ends at the first place where the
 * literal after it stands, or takes the rest of the line, and then nothing more is extracted. */
void pattern_extract(const struct pattern *p, struct str_view line, emit_fn *emit, void *ctx);
