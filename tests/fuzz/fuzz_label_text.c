/* SPDX-License-Identifier: Apache-2.0 */
/* Label text that parses prints to text that parses to the same; so does any value that is quoted.
 */
#include <assert.h>

#include "model/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_quoting(struct str_view bytes)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct label in = {SV("a"), bytes}, *out;
    size_t n;
    labels_print(&text, (struct labels){&in, 1});
    int r = labels_parse(&a, buf_view(&text), &out, &n, NULL);
    assert(r == 0);
    assert(bytes.len == 0 ? n == 0 : n == 1 && sv_eq(out[0].value, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view text = sv((const char *)data, len);
    struct label *v, *again;
    size_t n, n_again;
    struct err err = ERR_INIT;
    check_quoting(text);
    if (labels_parse(&a, text, &v, &n, &err) < 0) {
        assert(err.text[0]);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        assert(labels_is_name(v[i].name) && v[i].value.len > 0 &&
               (i == 0 || sv_cmp(v[i - 1].name, v[i].name) <= 0));
    labels_print(&first, (struct labels){v, n});
    int r = labels_parse(&a, buf_view(&first), &again, &n_again, &err);
    assert(r == 0 && n_again == n);
    labels_print(&second, (struct labels){again, n_again});
    assert(sv_eq(buf_view(&first), buf_view(&second)));
    assert(a.used_bytes <= 64 * len + (64 << 10));
    return 0;
}
