/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.h - a random 16-byte name (version 4), and its text of 36 characters.  Pure but for
 * uuid_new, which asks the kernel.  Threads: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str_view.h"

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 37 /* with the NUL */ };
struct uuid {
    uint8_t b[UUID_BYTES];
};

struct uuid uuid_new(void);
void uuid_print(struct uuid u, char out[UUID_TEXT_BYTES]);
/* 8-4-4-4-12 hex digits of either case, nothing else. */
bool uuid_parse(struct str_view text, struct uuid *ret);

static inline struct uuid uuid_of_bytes(const uint8_t b[UUID_BYTES])
{
    struct uuid u;
    memcpy(u.b, b, UUID_BYTES);
    return u;
}

static inline int uuid_cmp(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, UUID_BYTES);
}

static inline bool uuid_eq(struct uuid a, struct uuid b)
{
    return uuid_cmp(a, b) == 0;
}
