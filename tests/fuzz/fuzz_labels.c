/* SPDX-License-Identifier: Apache-2.0 */
/* An encoded label set that decodes encodes to the same bytes: it has one form. */
#include <assert.h>

#include "model/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(buf_deinit) struct buf again = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view encoded = sv((const char *)data, len);
    struct labels l;
    struct err err = ERR_INIT;
    if (labels_decode(&a, encoded, &l, &err) < 0) {
        assert(err.text[0]);
        return 0;
    }
    labels_encode(&again, l);
    assert(sv_eq(buf_view(&again), encoded));
    for (size_t i = 0; i < l.n; i++)
        assert(sv_eq(labels_get(l, l.v[i].name), l.v[i].value));
    assert(a.used_bytes <= 32 * len + (8 << 10));
    return 0;
}
