/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that a log's witness keeps: what is read lies in the bytes, and reading ends. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/witness.h"

struct seen {
    struct str_view file;
    uint64_t bytes, n, stop_after;
};

static int see(void *ctx, struct str_view policy, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    assert(policy.p >= s->file.p && policy.p + policy.len <= s->file.p + s->file.len);
    s->bytes += 8 + policy.len;
    return ++s->n == s->stop_after ? 7 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct seen all = {.file = {(const char *)data, len}}, first = {all.file, 0, 0, 1};
    assert(witness_each_policy(all.file, see, &all, NULL) == 0);
    assert(all.bytes <= len);
    assert(witness_each_policy(first.file, see, &first, NULL) == (all.n > 0 ? 7 : 0));
    return 0;
}
