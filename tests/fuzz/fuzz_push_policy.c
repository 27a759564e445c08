/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that decodes encodes to one that decodes to the same, and any line can be judged by it.
 */
#include <assert.h>

#include "wire/level.h"
#include "wire/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct push_policy p, again;
    struct err err = ERR_INIT;
    struct str_view encoded = sv((const char *)data, len);
    if (push_policy_decode(encoded, &a, &p, &err) < 0) {
        assert(err.text[0]);
        return 0;
    }
    assert(a.used_bytes <= 128 * len + (64 << 10));
    push_policy_encode(&first, &p);
    int r = push_policy_decode(buf_view(&first), &a, &again, &err);
    assert(r == 0);
    push_policy_encode(&second, &again);
    assert(sv_eq(buf_view(&first), buf_view(&second)));
    level_of_line(p.level_names, p.log_level_json_depth, encoded);
    return 0;
}
