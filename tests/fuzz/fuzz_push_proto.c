/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the policy and how the rest is meant: as a protobuf that is packed here,
 * so that the fuzzer meets the reader, or as the body itself, whose layers it then finds. */
#include <snappy-c.h>

#include "push_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf packed = BUF_INIT;
    struct push_policy policy;
    if (len == 0)
        return 0;
    policy_of_byte(data[0] >> 2, &a, &policy);
    struct str_view body = sv((const char *)data + 1, len - 1);
    unsigned coding = data[0] & 3;
    if (coding == 3) {
        size_t n = snappy_max_compressed_length(body.len);
        snappy_compress(body.p, body.len, buf_add(&packed, n), &n);
        packed.len = n;
        body = buf_view(&packed);
        coding = PUSH_CODING_NONE;
    }
    check_push(PUSH_PROTOBUF, (uint8_t)coding, body, &policy);
    return 0;
}
