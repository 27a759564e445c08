/* SPDX-License-Identifier: Apache-2.0 */
#include "lines/regexp.h"

#include <stdint.h>

#include "lines/label_key.h"
#include "regex/regex.h"

int regexp_stage_init(struct regexp_stage *s, struct arena *a, struct str_view pattern,
                      struct err *err)
{
    struct regex *re;
    int r = regex_compile(&re, pattern, REGEX_SEARCH, err);
    if (r < 0)
        return r;
    size_t n = regex_n_groups(re);
    struct str_view *names = ARENA_ARRAY(a, struct str_view, n);
    for (size_t g = 0; g < n; g++)
        names[g] = label_key_sanitise(a, regex_group_name(re, g));
    *s = (struct regexp_stage){re, names, n};
    return 0;
}

void regexp_stage_deinit(struct regexp_stage *s)
{
    regex_unref(s->re);
    s->re = NULL;
}

void regexp_extract(const struct regexp_stage *s, struct regex_scratch *regex_scratch,
                    struct str_view line, struct arena *scratch, emit_fn *emit, void *ctx)
{
    size_t n_spans = 2 * s->n_groups;
    size_t *spans = arena_alloc(scratch, n_spans * sizeof *spans);
    if (!regex_captures(s->re, regex_scratch, line, 0, spans, n_spans))
        return;
    for (size_t g = 1; g < s->n_groups; g++) {
        size_t from = spans[2 * g], to = spans[2 * g + 1];
        if (s->names[g].len == 0)
            continue;
        struct str_view value = from == SIZE_MAX ? SV_EMPTY : sv_sub(line, from, to - from);
        if (!emit(ctx, s->names[g], value))
            return;
    }
}
