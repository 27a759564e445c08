/* SPDX-License-Identifier: Apache-2.0 */
/* matcher.h - one condition of a stream selector: name, operator, value.
 * An absent label has the empty value.  Regexes are anchored and their dot matches newline.
 * A matcher is immutable once compiled and may be shared by threads; the scratch may not. */
#pragma once
#include "base/err.h"
#include "base/str_view.h"
#include "model/labels.h"

struct regex;
struct regex_scratch;

enum match_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
    struct str_view name;
    enum match_op op;
    struct str_view value;
    struct regex *regex; /* of MATCH_RE and MATCH_NRE after matcher_compile */
};

/* Compiles the regex (REGEX_FULL_DOTALL); the error is the regex's own text. */
int matcher_compile(struct matcher *m, struct err *err);
void matcher_deinit(struct matcher *m);
bool matcher_matches(const struct matcher *m, struct regex_scratch *scratch, struct str_view value);
bool matchers_match(const struct matcher *m, size_t n, struct regex_scratch *scratch,
                    struct labels l);
const char *match_op_text(enum match_op op); /* "=", "!=", "=~", "!~" */
