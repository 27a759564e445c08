/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: what parses prints to something that parses to an equal tree, in both printed forms,
 * and the prints settle; what does not parse says why; the time stays near linear in the text. */
#include <assert.h>
#include <time.h>

#include "logql/parse.h"
#include "logql/print.h"

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check_print(struct arena *a, const struct logql_expr *e,
                        void (*print)(struct buf *, const struct logql_expr *))
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, again = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *back;
    print(&text, e);
    if (text.len > LOGQL_MAX_QUERY_BYTES)
        return;
    int r = logql_parse(a, buf_view(&text), &back, &err);
    if (r < 0 && strstr(err.text, "nests deeper"))
        return; /* the parentheses that printing adds count as well */
    assert(r == 0);
    assert(logql_equal(e, back));
    print(&again, back);
    assert(sv_eq(buf_view(&text), buf_view(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *e;
    double begin = cpu_seconds();
    int r = logql_parse(&a, sv((const char *)data, len), &e, &err);
    double took = cpu_seconds() - begin;
    assert(took < 1 + 1e-4 * (double)len); /* thousands of times what it should be */
    if (r < 0) {
        assert(r == ERR_INVALID && strncmp(err.text, "parse error", 11) == 0);
        return 0;
    }
    assert(logql_equal(e, e));
    check_print(&a, e, logql_print);
    check_print(&a, e, logql_format);
    return 0;
}
