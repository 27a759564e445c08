/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of read requests, a line each: name=value.  What is accepted keeps the promises of
 * params.h; what is refused says why. */
#include <assert.h>

#include "base/clock.h"
#include "querier/params.h"
#include "querier/query_limits.h"

enum { MAX_PARAMS = 32, MAX_POINTS = 11000 };
#define NOW (INT64_C(1700000000) * NS_PER_S)

static size_t split(struct str_view text, struct http_param *v)
{
    size_t n = 0;
    while (text.len > 0 && n < MAX_PARAMS) {
        struct str_view line = sv_sub(text, 0, sv_find_byte(text, '\n'));
        size_t equals = sv_find_byte(line, '=');
        v[n++] = (struct http_param){sv_sub(line, 0, equals), sv_from(line, equals + 1)};
        text = sv_from(text, line.len + 1);
    }
    return n;
}

static void check_range(struct param_list l)
{
    struct query_params p;
    struct err err = ERR_INIT;
    if (params_range(l, NOW, &p, &err) < 0) {
        assert(err.code == ERR_INVALID && err.text[0] != '\0');
        return;
    }
    assert(p.start_ns <= p.end_ns && p.step_ns > 0 && p.limit > 0 && p.interval_ns >= 0);
    assert(((__int128)p.end_ns - p.start_ns) / p.step_ns <= MAX_POINTS);
    int64_t start_ns = p.start_ns, end_ns = p.end_ns;
    params_align(&p);
    assert(p.start_ns <= start_ns && end_ns <= p.end_ns);
    assert(p.start_ns % p.step_ns == 0 || p.start_ns < INT64_MIN + p.step_ns);
}

static void check_tags(struct str_view text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view tags = query_tags_normal(&a, text);
    assert(tags.len == text.len && sv_find_byte(tags, '\n') == tags.len);
    struct str_view source = query_tags_get(tags, SV("source"));
    assert(!source.p || sv_find_byte(source, ',') == source.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view text = sv((const char *)data, len);
    struct http_param v[MAX_PARAMS];
    struct param_list l = {v, split(text, v)};
    struct query_params p;
    int64_t start_ns, end_ns, step_ns;
    check_range(l);
    if (params_instant(l, NOW, &p, NULL) == 0)
        assert(p.start_ns == p.end_ns && p.limit > 0);
    if (params_stepped_bounds(l, NOW, &start_ns, &end_ns, &step_ns, NULL) == 0)
        assert(start_ns <= end_ns && step_ns > 0);
    check_tags(text);
    return 0;
}
