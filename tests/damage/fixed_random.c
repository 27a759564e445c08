/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded while folders are built: $FIXED_RANDOM instead of the kernel's randomness, so that
 * names, and with them the pages of LMDB, are the same in each run. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

__attribute__((visibility("default"))) ssize_t getrandom(void *to, size_t n, unsigned flags)
{
    static uint64_t state;
    (void)flags;
    const char *seed = getenv("FIXED_RANDOM");
    if (state == 0)
        state = seed ? strtoull(seed, NULL, 10) | 1 : 1;
    for (size_t i = 0; i < n; i++) {
        state ^= state << 13; /* xorshift */
        state ^= state >> 7;
        state ^= state << 17;
        ((uint8_t *)to)[i] = (uint8_t)(state >> 32);
    }
    return (ssize_t)n;
}
