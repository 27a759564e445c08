/* SPDX-License-Identifier: Apache-2.0 */
/* The SSE4.2 instruction takes eight bytes per step with a latency of three cycles, so three
 * independent streams keep it busy.  The three are joined with the operator "append n zero bytes",
 * a 32x32 matrix over GF(2), kept as four tables of 256 words for the one block length we use. */
#include "base/crc32c.h"

#include <pthread.h>

#include "base/bytes.h"

#define POLY 0x82f63b78u /* 0x1edc6f41 with its bits reversed */

enum { LANE_BYTES = 1024 };

static uint32_t byte_table[8][256]; /* [k][b]: b followed by k zero bytes */
static uint32_t lane_shift[4][256]; /* a CRC moved over LANE_BYTES zero bytes */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static uint32_t matrix_times(const uint32_t m[32], uint32_t v)
{
    uint32_t sum = 0;
    for (unsigned i = 0; v; v >>= 1, i++)
        if (v & 1)
            sum ^= m[i];
    return sum;
}

static void matrix_square(uint32_t ret[32], const uint32_t m[32])
{
    for (unsigned i = 0; i < 32; i++)
        ret[i] = matrix_times(m, m[i]);
}

static void init_lane_shift(void)
{
    uint32_t m[32], square[32];
    m[0] = POLY; /* one zero bit */
    for (unsigned i = 1; i < 32; i++)
        m[i] = 1u << (i - 1);
    for (unsigned bits = 1; bits < 8 * LANE_BYTES; bits *= 2) {
        matrix_square(square, m);
        memcpy(m, square, sizeof m);
    }
    for (unsigned k = 0; k < 4; k++)
        for (unsigned b = 0; b < 256; b++)
            lane_shift[k][b] = matrix_times(m, (uint32_t)b << (8 * k));
}

static void init_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLY : crc >> 1;
        byte_table[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (unsigned k = 1; k < 8; k++)
            byte_table[k][b] =
                byte_table[k - 1][b] >> 8 ^ byte_table[0][byte_table[k - 1][b] & 0xff];
    init_lane_shift();
}

uint32_t crc32c_extend_portable(uint32_t crc, struct str_view data)
{
    pthread_once(&tables_once, init_tables);
    const unsigned char *p = (const unsigned char *)data.p;
    size_t n = data.len;
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t lo = ld_le32(p) ^ crc, hi = ld_le32(p + 4);
        crc = byte_table[7][lo & 0xff] ^ byte_table[6][lo >> 8 & 0xff] ^
              byte_table[5][lo >> 16 & 0xff] ^ byte_table[4][lo >> 24] ^ byte_table[3][hi & 0xff] ^
              byte_table[2][hi >> 8 & 0xff] ^ byte_table[1][hi >> 16 & 0xff] ^
              byte_table[0][hi >> 24];
    }
    for (; n > 0; p++, n--)
        crc = crc >> 8 ^ byte_table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t shift_lane(uint32_t crc)
{
    return lane_shift[0][crc & 0xff] ^ lane_shift[1][crc >> 8 & 0xff] ^
           lane_shift[2][crc >> 16 & 0xff] ^ lane_shift[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t extend_sse42(uint32_t crc, struct str_view data)
{
    pthread_once(&tables_once, init_tables);
    const char *p = data.p;
    size_t n = data.len;
    uint64_t a = ~crc;
    for (; n >= 3 * LANE_BYTES; p += 3 * LANE_BYTES, n -= 3 * LANE_BYTES) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < LANE_BYTES; i += 8) {
            a = _mm_crc32_u64(a, ld_le64(p + i));
            b = _mm_crc32_u64(b, ld_le64(p + LANE_BYTES + i));
            c = _mm_crc32_u64(c, ld_le64(p + 2 * LANE_BYTES + i));
        }
        a = shift_lane(shift_lane((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    for (; n >= 8; p += 8, n -= 8)
        a = _mm_crc32_u64(a, ld_le64(p));
    for (; n > 0; p++, n--)
        a = _mm_crc32_u8((uint32_t)a, (unsigned char)*p);
    return ~(uint32_t)a;
}

uint32_t crc32c_extend(uint32_t crc, struct str_view data)
{
    return __builtin_cpu_supports("sse4.2") ? extend_sse42(crc, data)
                                            : crc32c_extend_portable(crc, data);
}
#else
uint32_t crc32c_extend(uint32_t crc, struct str_view data)
{
    return crc32c_extend_portable(crc, data);
}
#endif

uint32_t crc32c(struct str_view data)
{
    return crc32c_extend(0, data);
}
