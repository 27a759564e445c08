/* SPDX-License-Identifier: Apache-2.0 */
/* bitpack.h - unsigned integers of one width, least significant bit first, no gaps.
 * n values of `width` bits take (n * width + 7) / 8 bytes; unused bits of the last byte are 0.
 * Threads: pure. */
#pragma once
#include <stdint.h>

#include "base/bytes.h"

enum { BITPACK_GROUP = 128 };

static inline size_t bitpack_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

static inline unsigned bits_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* n <= BITPACK_GROUP, width <= 64; values above the width are cut. */
void bitpack_put(struct buf *out, const uint64_t *v, size_t n, unsigned width);
/* Reads only the bitpack_bytes(n, width) bytes at p, unless readable_bytes says that more may be
 * touched, which is faster. */
void bitpack_get(const char *p, size_t readable_bytes, uint64_t *v, size_t n, unsigned width);
