/* SPDX-License-Identifier: Apache-2.0 */
/* value_needle.h - what a label filter behind a parser says about the line: `| json |
 * level="error"` keeps no line in which the bytes `error` do not stand. That is exact only where
 * the value is in the line as it is written: not where the chunk has a backslash (values are
 * unescaped), not where the stream or the row's metadata has the label (then it is not parsed).
 * Values with blanks are cut at them: bad UTF-8 becomes a blank in a label. Threads: immutable once
 * made. */
#pragma once
#include "base/arena.h"
#include "chunk/filter.h"
#include "logql/ast.h"
#include "regex/substr.h"

/* A line that passes has one of these texts, under the conditions above. */
struct value_needle {
    struct str_view label;
    struct substr_needle *texts; /* the last one is a lone backslash */
    struct filter_needle *grams; /* of the texts but the last */
    size_t n;                    /* texts but the last, at least 1 */
};
struct value_needles {
    struct value_needle *v;
    size_t n, cap;
};

/* From the stages of a selector, whose texts are borrowed.  Lists lie in the arena: deinit before
 * it goes, also after a failure (a regex that does not compile). */
int value_needles_init(struct value_needles *out, const struct log_query *log, struct arena *a,
                       struct err *err);
void value_needles_deinit(struct value_needles *out);
/* Whether the line holds one of the texts, or a backslash. */
bool value_needle_in_line(const struct value_needle *n, struct str_view line);
/* False only when no line of the chunk, which has no backslash, holds a text. */
bool value_needle_may_be_in(const struct value_needle *n, struct str_view filter,
                            uint32_t filter_bits, bool chunk_is_ascii);
