/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/compile.h"

int compile_charge(struct compile *c, uint64_t bytes, struct err *err)
{
    if (!c->control)
        return 0;
    int r = query_check(c->control, err);
    if (r == 0)
        r = query_charge(c->control, bytes, err);
    if (r == 0)
        c->charged_bytes += bytes;
    return r;
}

int compile_regex(struct compile *c, struct str_view pattern, enum regex_mode mode,
                  struct regex **ret, struct err *err)
{
    struct regex *re;
    *ret = NULL;
    int r = regex_compile(&re, pattern, mode, err);
    if (r < 0)
        return r;
    r = compile_charge(c, regex_mem_bytes(re), err);
    if (r < 0)
        regex_unref(re);
    else
        *ret = re;
    return r;
}

static bool must_stop(void *control)
{
    return query_check(control, NULL) < 0;
}

struct regex_scratch *query_scratch_new(struct query_control *control)
{
    struct regex_scratch *scratch = regex_scratch_new();
    if (control)
        regex_scratch_set_stop(scratch, must_stop, control);
    return scratch;
}
