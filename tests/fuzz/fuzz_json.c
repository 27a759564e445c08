/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a path, a newline, a line.  Properties of flattening: names are label names and not empty,
 * values are UTF-8, memory is bounded by the line, ending early yields how the whole begins, and
 * all of it is what the simple way gives.  Of
 * extraction: a path printed as subscripts means the same, alone and among others; what is found
 * is found behind a faultless prefix too. */
#include "../unit/lines/json_plain.h"
#include "emitted.h"
#include "lines/json.h"

/* `got` ended with r and details. */
static void check_plain(struct str_view line, const struct emitted *got, int r,
                        struct str_view details)
{
    static struct emitted plain;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view plain_details = SV_EMPTY;
    plain.n = 0;
    plain.stop_after = got->stop_after;
    int plain_r = json_flatten_plainly(line, &a, collect_emitted, &plain, &plain_details);
    assert(r == plain_r && got->n == plain.n && sv_eq(details, plain_details));
    assert_prefix(got, &plain);
}

static void check_flatten(struct str_view line)
{
    static struct emitted whole, part;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view details = SV_EMPTY;
    whole.n = part.n = 0;
    int r = json_flatten(line, &a, collect_emitted, &whole, &details);
    assert(r == LINE_OK || (r == LINE_E_FAULT && details.len > 0));
    assert(a.used_bytes <= 64 * line.len + (1 << 20));
    for (size_t i = 0; i < whole.n; i++)
        assert(whole.names[i].len > 0);
    check_plain(line, &whole, r, details);
    part.stop_after = whole.n / 2;
    if (part.stop_after == 0)
        return;
    details = SV_EMPTY;
    r = json_flatten(line, &a, collect_emitted, &part, &details);
    check_plain(line, &part, r, details);
    assert(part.n == part.stop_after);
    assert_prefix(&part, &whole);
}

static void print_path(struct buf *out, const struct json_path *path)
{
    for (size_t i = 0; i < path->n; i++) {
        if (path->v[i].key.p)
            buf_printf(out, "[\"%.*s\"]", SV_ARG(path->v[i].key));
        else
            buf_printf(out, "[%zu]", path->v[i].index);
    }
}

static void check_extract(struct str_view expr, struct str_view line)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    struct json_path paths[3];
    if (json_path_parse(&a, expr, &paths[0], &err) < 0) {
        assert(strncmp(err.text, "cannot parse expression", 23) == 0);
        return;
    }
    assert(paths[0].n >= 1 && paths[0].n <= JSON_PATH_MAX);
    if (memchr(expr.p, 0, expr.len))
        return; /* buf_printf ends there */
    print_path(&text, &paths[0]);
    assert(json_path_parse(&a, buf_view(&text), &paths[1], &err) == 0);
    assert(json_path_parse(&a, SV("a[0].b"), &paths[2], &err) == 0);
    struct json_paths one = json_paths_new(&a, paths, 1), many = json_paths_new(&a, paths, 3);
    struct str_view alone, among[3], details;
    int r = json_extract(line, &one, &a, &alone, &details);
    int r3 = json_extract(line, &many, &a, among, &details);
    assert(!!among[0].p == !!among[1].p && sv_eq(among[0], among[1]));
    if (r == LINE_OK && r3 == LINE_OK)
        assert(!!alone.p == !!among[0].p && sv_eq(alone, among[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view input = sv((const char *)data, len);
    struct str_view expr = sv_sub(input, 0, sv_find_byte(input, '\n'));
    struct str_view line = sv_from(input, expr.len + 1);
    check_flatten(line);
    check_extract(expr, line);
    return 0;
}
