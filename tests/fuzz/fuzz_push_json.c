/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses shape and policy, the rest is the body: JSON is text, so 0 to 9 will do.
 */
#include "push_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct push_policy policy;
    if (len == 0)
        return 0;
    policy_of_byte(data[0] >> 1, &a, &policy);
    struct str_view body = sv((const char *)data + 1, len - 1);
    check_push(data[0] & 1 ? PUSH_JSON_V0 : PUSH_JSON_V1, PUSH_CODING_NONE, body, &policy);
    return 0;
}
