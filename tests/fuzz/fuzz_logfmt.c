/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: names and values are fit for labels; strict yields how the lenient reading begins;
 * keeping empty values adds pairs and changes none; extraction finds each key's last value. */
#include "emitted.h"
#include "lines/logfmt.h"

static void check_subsequence(const struct emitted *few, const struct emitted *many)
{
    size_t k = 0;
    for (size_t i = 0; i < many->n && k < few->n; i++)
        if (sv_eq(few->names[k], many->names[i]) && sv_eq(few->values[k], many->values[i]))
            k++;
    assert(k == few->n);
}

static struct str_view last_value(const struct emitted *e, struct str_view name)
{
    for (size_t i = e->n; i > 0; i--)
        if (sv_eq(e->names[i - 1], name))
            return e->values[i - 1];
    return (struct str_view){NULL, 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct emitted plain, strict, keep;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view line = sv((const char *)data, len), details = SV_EMPTY;
    plain.n = strict.n = keep.n = 0;
    assert(logfmt_parse(line, (struct logfmt_flags){false, false}, &a, collect_emitted, &plain,
                        &details) == LINE_OK);
    assert(logfmt_parse(line, (struct logfmt_flags){false, true}, &a, collect_emitted, &keep,
                        &details) == LINE_OK);
    int r = logfmt_parse(line, (struct logfmt_flags){true, false}, &a, collect_emitted, &strict,
                         &details);
    assert(r == LINE_OK || (r == LINE_E_FAULT && details.len > 0));
    assert_prefix(&strict, &plain);
    if (r == LINE_OK)
        assert(strict.n == plain.n);
    if (keep.n == MAX_EMITTED)
        return 0;
    check_subsequence(&plain, &keep);
    if (keep.n == 0)
        return 0;
    struct str_view name = keep.names[keep.n / 2], value;
    struct logfmt_wanted wanted = {SV("no such destination"), name};
    assert(logfmt_extract(line, false, &wanted, 1, &a, &value, &details) == LINE_OK);
    assert(value.p && sv_eq(value, last_value(&keep, name)));
    return 0;
}
