/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - a growing byte buffer, a bounded reader, and the integer forms of our formats.
 * Integers are little endian; varints are LEB128 (at most 10 bytes); zigzag for signed ones.
 * Encoders cannot fail (memory exhaustion aborts).  A reader remembers its first failure in
 * `bad` and then yields zeros and empty views, so a record is decoded first and checked once.
 * Threads: none of this is shared. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str_view.h"

/* Runs fn(&variable) when the variable leaves scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
/* Hands a pointer over: yields it and leaves NULL behind. */
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

void *mem_alloc(size_t bytes);            /* malloc that aborts; 0 bytes is fine */
void *mem_zalloc(size_t n, size_t bytes); /* calloc that aborts */
void *mem_realloc(void *p, size_t bytes); /* realloc that aborts */
/* Grows *cap (elements) to hold at least `need`, by half more each time; aborts on overflow. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t elem_bytes);

struct buf {
    char *p;
    size_t len, cap;
};
#define BUF_INIT ((struct buf){NULL, 0, 0})

void buf_deinit(struct buf *b);
void buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_pad_to(struct buf *b, size_t alignment); /* zero bytes until len % alignment == 0 */

static inline void buf_clear(struct buf *b)
{
    b->len = 0;
}

static inline struct str_view buf_view(const struct buf *b)
{
    return (struct str_view){b->p ? b->p : "", b->len};
}

/* `extra` uninitialised bytes at the end, to be written by the caller. */
static inline char *buf_add(struct buf *b, size_t extra)
{
    if (b->cap - b->len < extra)
        buf_reserve(b, extra);
    char *at = b->p + b->len;
    b->len += extra;
    return at;
}

static inline void buf_put_bytes(struct buf *b, const void *p, size_t len)
{
    if (len)
        memcpy(buf_add(b, len), p, len);
}

static inline void buf_put(struct buf *b, struct str_view v)
{
    buf_put_bytes(b, v.p, v.len);
}

static inline void buf_fill(struct buf *b, char c, size_t n)
{
    if (n)
        memset(buf_add(b, n), c, n);
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    *buf_add(b, 1) = (char)v;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are little endian, as we are");

static inline uint16_t ld_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t ld_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t ld_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void st_le16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void st_le32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void st_le64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void buf_put_le16(struct buf *b, uint16_t v)
{
    st_le16(buf_add(b, sizeof v), v);
}

static inline void buf_put_le32(struct buf *b, uint32_t v)
{
    st_le32(buf_add(b, sizeof v), v);
}

static inline void buf_put_le64(struct buf *b, uint64_t v)
{
    st_le64(buf_add(b, sizeof v), v);
}

static inline uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline void buf_put_varint(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_put_u8(b, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    buf_put_u8(b, (uint8_t)v);
}

/* varint length, then the bytes. */
static inline void buf_put_str(struct buf *b, struct str_view v)
{
    buf_put_varint(b, v.len);
    buf_put(b, v);
}

struct reader {
    const char *p;
    size_t len, at; /* at <= len always */
    bool bad;
};

static inline struct reader reader_of(struct str_view v)
{
    return (struct reader){v.p, v.len, 0, false};
}

static inline bool reader_done(const struct reader *r)
{
    return r->bad || r->at == r->len;
}

static inline size_t reader_left(const struct reader *r)
{
    return r->bad ? 0 : r->len - r->at;
}

/* The next n bytes, or the empty view and bad. */
static inline struct str_view rd_bytes(struct reader *r, uint64_t n)
{
    if (r->bad || n > r->len - r->at) {
        r->bad = true;
        return SV_EMPTY;
    }
    struct str_view v = {r->p + r->at, (size_t)n};
    r->at += (size_t)n;
    return v;
}

static inline uint8_t rd_u8(struct reader *r)
{
    struct str_view v = rd_bytes(r, 1);
    return v.len ? (uint8_t)v.p[0] : 0;
}

static inline uint16_t rd_le16(struct reader *r)
{
    struct str_view v = rd_bytes(r, 2);
    return v.len ? ld_le16(v.p) : 0;
}

static inline uint32_t rd_le32(struct reader *r)
{
    struct str_view v = rd_bytes(r, 4);
    return v.len ? ld_le32(v.p) : 0;
}

static inline uint64_t rd_le64(struct reader *r)
{
    struct str_view v = rd_bytes(r, 8);
    return v.len ? ld_le64(v.p) : 0;
}

static inline uint64_t rd_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = rd_u8(r);
        if (shift == 63 && byte > 1)
            r->bad = true; /* over 64 bits */
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return r->bad ? 0 : v;
    }
    r->bad = true;
    return 0;
}

/* As buf_put_str wrote it; refuses lengths over max_len. */
static inline struct str_view rd_str(struct reader *r, uint64_t max_len)
{
    uint64_t n = rd_varint(r);
    if (n > max_len)
        r->bad = true;
    return rd_bytes(r, n);
}
