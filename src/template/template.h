/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - Go's text/template as line_format and label_format use it, with their functions.
 * Source: the template subset and function table of the LogQL facts (docs/logql.md).
 * A template is parsed once into an arena and then only read; executing it writes to the caller's
 * buffer and scratch arena.  Work is bounded: output by max_out_bytes, steps by a fixed budget, so
 * a hostile template ends with an error.
 * Threads: a parsed template is shared; data, arena, scratch and buffer belong to the caller. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/str_view.h"
#include "model/labels.h"

struct regex_scratch;
struct template;

/* The error text is the cause alone: `template: line:1: function "nope" not defined`. */
int template_parse(struct arena *a, struct str_view text, struct template **ret, struct err *err);

/* What {{ }} can see of one entry. */
struct template_data {
    void *ctx;
    bool (*get)(void *ctx, struct str_view name, struct str_view *ret);
    struct labels (*all)(void *ctx, struct arena *a); /* sorted by name */
    struct str_view line;
    int64_t ts_ns;
};

/* Appends to out; on failure out holds a part, to be cut by the caller.  The error text is Go's:
 * `template: line:1:3: executing "line" at <...>: ...`. */
int template_exec(const struct template *t, const struct template_data *data, struct arena *a,
                  struct regex_scratch *scratch, struct buf *out, size_t max_out_bytes,
                  struct err *err);

/* Calls fn with each label name that the template reads by name; false when it may read any. */
bool template_fields(const struct template *t, void (*fn)(void *ctx, struct str_view name),
                     void *ctx);
