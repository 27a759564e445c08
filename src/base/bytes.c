/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static void *or_abort(void *p, size_t bytes)
{
    if (!p && bytes) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t bytes)
{
    return or_abort(malloc(bytes ? bytes : 1), bytes);
}

void *mem_zalloc(size_t n, size_t bytes)
{
    return or_abort(calloc(n ? n : 1, bytes ? bytes : 1), 1);
}

void *mem_realloc(void *p, size_t bytes)
{
    return or_abort(realloc(p, bytes ? bytes : 1), bytes);
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t elem_bytes)
{
    if (*cap >= need)
        return p;
    size_t n = *cap + *cap / 2, bytes;
    if (n < need)
        n = need;
    if (n < 8)
        n = 8;
    if (__builtin_mul_overflow(n, elem_bytes, &bytes))
        abort();
    *cap = n;
    return mem_realloc(p, bytes);
}

void buf_deinit(struct buf *b)
{
    free(b->p);
    *b = BUF_INIT;
}

void buf_reserve(struct buf *b, size_t extra)
{
    size_t need;
    if (__builtin_add_overflow(b->len, extra, &need))
        abort();
    b->p = mem_grow(b->p, &b->cap, need, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    buf_reserve(b, (size_t)n + 1); /* vsnprintf writes its NUL */
    vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
    va_end(again);
    b->len += (size_t)n;
}

void buf_pad_to(struct buf *b, size_t alignment)
{
    size_t over = b->len % alignment;
    if (over)
        memset(buf_add(b, alignment - over), 0, alignment - over);
}
