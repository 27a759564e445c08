/* SPDX-License-Identifier: Apache-2.0 */
/* emitted.h - collects what a line parser emits as `a="1" b="x"`, for comparing. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/go_quote.h"
#include "lines/emit.h"
#include "model/labels.h"

struct emitted {
    struct buf text;
    size_t n, stop_after; /* 0: never */
};

__attribute__((unused)) static bool collect_pair(void *ctx, struct str_view name,
                                                 struct str_view value)
{
    struct emitted *e = ctx;
    if (e->text.len)
        buf_put_u8(&e->text, ' ');
    buf_put(&e->text, name);
    buf_put_u8(&e->text, '=');
    go_quote(&e->text, value);
    return ++e->n != e->stop_after;
}

__attribute__((unused)) static void expect_text(struct str_view input, struct str_view got,
                                                const char *want)
{
    if (!sv_eq(got, sv_of(want)))
        fail_msg("'%.*s'\n  gave '%.*s'\n  want '%s'", SV_ARG(input), SV_ARG(got), want);
}
