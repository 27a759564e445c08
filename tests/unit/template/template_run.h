/* SPDX-License-Identifier: Apache-2.0 */
/* template_run.h - executes a template over a few labels and compares what it gives. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "regex/regex.h"
#include "template/template.h"

/* Sorted, as the labels of an entry are. */
static const struct label LABELS[] = {
    {SV("app"), SV("api")},
    {SV("json"), SV("{\"a\":{\"b\":[1,2.5,\"x\"]},\"n\":1e6,\"t\":true}")},
    {SV("level"), SV("warn")},
    {SV("list"), SV("a b")},
    {SV("n"), SV("42")},
    {SV("path"), SV("/cart/items")},
    {SV("size"), SV("1.5KiB")},
    {SV("took"), SV("1m1.5s")},
    {SV("uni"), SV("h\xc3\xa9llo")},
};

static bool get(void *ctx, struct str_view name, struct str_view *ret)
{
    for (size_t i = 0; i < sizeof LABELS / sizeof *LABELS; i++)
        if (sv_eq(LABELS[i].name, name)) {
            *ret = LABELS[i].value;
            return true;
        }
    return false;
}

static struct labels all(void *ctx, struct arena *a)
{
    return (struct labels){LABELS, sizeof LABELS / sizeof *LABELS};
}

struct outcome {
    int parsed, executed;
    struct err err;
    struct buf out;
};

static struct outcome run(const char *text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct regex_scratch *scratch = regex_scratch_new();
    struct template_data data = {
        .get = get, .all = all, .line = SV("the line"), .ts_ns = 1700000000123456789};
    struct outcome o = {.out = BUF_INIT};
    struct template *t;
    o.parsed = template_parse(&a, sv_of(text), &t, &o.err);
    if (o.parsed == 0)
        o.executed = template_exec(t, &data, &a, scratch, &o.out, 1 << 20, &o.err);
    regex_scratch_free(scratch);
    return o;
}

__attribute__((unused)) static void expect(const char *text, const char *want)
{
    struct outcome o = run(text);
    if (o.parsed < 0 || o.executed < 0)
        fail_msg("%s: %s", text, o.err.text);
    buf_put_u8(&o.out, 0);
    if (strcmp(o.out.p, want))
        fail_msg("%s\n  gave '%s'\n  want '%s'", text, o.out.p, want);
    buf_deinit(&o.out);
}

__attribute__((unused)) static void expect_refused(const char *text, const char *want)
{
    struct outcome o = run(text);
    if (o.parsed == 0)
        fail_msg("%s was accepted", text);
    if (strcmp(o.err.text, want))
        fail_msg("%s\n  says '%s'\n  want '%s'", text, o.err.text, want);
    buf_deinit(&o.out);
}

__attribute__((unused)) static void expect_failure(const char *text, const char *part)
{
    struct outcome o = run(text);
    if (o.parsed < 0)
        fail_msg("%s does not parse: %s", text, o.err.text);
    if (o.executed == 0)
        fail_msg("%s gave '%.*s'", text, (int)o.out.len, o.out.p);
    if (!strstr(o.err.text, part))
        fail_msg("%s\n  says '%s'\n  want '%s'", text, o.err.text, part);
    buf_deinit(&o.out);
}
