/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: output and memory stay within their bounds, a second execution does the same as the
 * first, and a template reads no label that template_fields() does not name. */
#include <assert.h>

#include "regex/regex.h"
#include "template/template.h"

enum { MAX_OUT = 1 << 16, MAX_NAMES = 64 };

struct names {
    struct str_view v[MAX_NAMES];
    size_t n;
    bool too_many;
    struct arena arena;
};

static void note_field(void *ctx, struct str_view name)
{
    struct names *names = ctx;
    if (names->n == MAX_NAMES) {
        names->too_many = true;
        return;
    }
    names->v[names->n++] = arena_copy(&names->arena, name);
}

static const struct label LABELS[] = {
    {SV("a"), SV("42")}, {SV("b"), SV("{\"k\":[1,\"x\",null],\"t\":true}")}, {SV("c"), SV("1m5s")}};

struct reader_of_labels {
    const struct names *allowed; /* NULL: all */
};

static bool get(void *ctx, struct str_view name, struct str_view *ret)
{
    const struct names *allowed = ((struct reader_of_labels *)ctx)->allowed;
    bool named = !allowed;
    for (size_t i = 0; !named && i < allowed->n; i++)
        named = sv_eq(allowed->v[i], name);
    assert(named);
    for (size_t i = 0; i < sizeof LABELS / sizeof *LABELS; i++)
        if (sv_eq(LABELS[i].name, name)) {
            *ret = LABELS[i].value;
            return true;
        }
    return false;
}

static struct labels all(void *ctx, struct arena *a)
{
    assert(!((struct reader_of_labels *)ctx)->allowed);
    return (struct labels){LABELS, sizeof LABELS / sizeof *LABELS};
}

static int exec(const struct template *t, struct reader_of_labels *reader, struct buf *out)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct regex_scratch *scratch = regex_scratch_new();
    struct template_data data = {reader, get, all, SV("the \xff line"), 1700000000123456789};
    int r = template_exec(t, &data, &a, scratch, out, MAX_OUT, &err);
    regex_scratch_free(scratch);
    assert(out->len <= (r == 0 ? MAX_OUT : 3 * MAX_OUT)); /* of a failure a part stays */
    assert(a.used_bytes < 32u << 20);
    assert(r == 0 || err.text[0]);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct template *t;
    struct str_view text = sv((const char *)data, len);
    if (template_parse(&a, text, &t, &err) < 0) {
        assert(strncmp(err.text, "template: ", 10) == 0);
        return 0;
    }
    struct names names = {.n = 0};
    struct reader_of_labels reader = {&names};
    if (!template_fields(t, note_field, &names) || names.too_many)
        reader.allowed = NULL;
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
    int r = exec(t, &reader, &first);
    bool asks_the_clock =
        sv_find(text, SV("now")) != SIZE_MAX || sv_find(text, SV("date")) != SIZE_MAX;
    if (!asks_the_clock) {
        assert(exec(t, &reader, &second) == r);
        assert(sv_eq(buf_view(&first), buf_view(&second)));
    }
    arena_deinit(&names.arena);
    return 0;
}
