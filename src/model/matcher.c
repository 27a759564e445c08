/* SPDX-License-Identifier: Apache-2.0 */
#include "model/matcher.h"

#include "regex/regex.h"

static bool is_regex(enum match_op op)
{
    return op == MATCH_RE || op == MATCH_NRE;
}

int matcher_compile(struct matcher *m, struct err *err)
{
    if (!is_regex(m->op) || m->regex)
        return 0;
    return regex_compile(&m->regex, m->value, REGEX_FULL_DOTALL, err);
}

void matcher_deinit(struct matcher *m)
{
    if (!m)
        return;
    regex_unref(m->regex);
    m->regex = NULL;
}

bool matcher_matches(const struct matcher *m, struct regex_scratch *scratch, struct str_view value)
{
    switch (m->op) {
    case MATCH_EQ:
        return sv_eq(m->value, value);
    case MATCH_NE:
        return !sv_eq(m->value, value);
    case MATCH_RE:
        return regex_matches(m->regex, scratch, value);
    case MATCH_NRE:
        return !regex_matches(m->regex, scratch, value);
    }
    return false;
}

bool matchers_match(const struct matcher *m, size_t n, struct regex_scratch *scratch,
                    struct labels l)
{
    for (size_t i = 0; i < n; i++) {
        struct str_view value = labels_get(l, m[i].name);
        if (!matcher_matches(&m[i], scratch, value.p ? value : SV_EMPTY))
            return false;
    }
    return true;
}

const char *match_op_text(enum match_op op)
{
    static const char *const texts[] = {"=", "!=", "=~", "!~"};
    return texts[op];
}
