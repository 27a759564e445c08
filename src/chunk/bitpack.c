/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/bitpack.h"

void bitpack_put(struct buf *out, const uint64_t *v, size_t n, unsigned width)
{
    if (width == 0)
        return;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    size_t bytes = bitpack_bytes(n, width);
    buf_reserve(out, bytes + 8); /* whole words are stored, the rest cut off */
    char *to = buf_add(out, bytes);
    unsigned __int128 pending = 0;
    unsigned n_pending = 0;
    for (size_t i = 0; i < n; i++) {
        pending |= (unsigned __int128)(v[i] & mask) << n_pending;
        n_pending += width;
        if (n_pending >= 64) {
            st_le64(to, (uint64_t)pending);
            to += 8;
            pending >>= 64;
            n_pending -= 64;
        }
    }
    st_le64(to, (uint64_t)pending);
}

/* One word holds any value of up to 57 bits whatever bit it starts at. */
static void get_narrow(const char *p, uint64_t *v, size_t n, unsigned width)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    size_t bit = 0;
    for (size_t i = 0; i < n; i++, bit += width)
        v[i] = ld_le64(p + (bit >> 3)) >> (bit & 7) & mask;
}

static void get_wide(const char *p, uint64_t *v, size_t n, unsigned width)
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    size_t bit = 0;
    for (size_t i = 0; i < n; i++, bit += width) {
        uint64_t low = ld_le64(p + (bit >> 3)) >> (bit & 7);
        uint64_t high = (uint8_t)p[(bit >> 3) + 8];
        v[i] = (low | (bit & 7 ? high << (64 - (bit & 7)) : 0)) & mask;
    }
}

void bitpack_get(const char *p, size_t readable_bytes, uint64_t *v, size_t n, unsigned width)
{
    if (width == 0) {
        memset(v, 0, n * sizeof *v);
        return;
    }
    char padded[BITPACK_GROUP * 8 + 16];
    size_t bytes = bitpack_bytes(n, width);
    if (readable_bytes < bytes + 9) {
        memcpy(padded, p, bytes);
        memset(padded + bytes, 0, 16);
        p = padded;
    }
    if (width <= 57)
        get_narrow(p, v, n, width);
    else
        get_wide(p, v, n, width);
}
