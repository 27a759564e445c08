/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

enum { ALIGN = 16, FIRST_BYTES = 4096, MOST_BYTES = 256 << 10 };

struct arena_block {
    struct arena_block *older;
    size_t bytes; /* of data */
    _Alignas(ALIGN) char data[];
};

void arena_deinit(struct arena *a)
{
    for (struct arena_block *b = a->blocks, *older; b; b = older) {
        older = b->older;
        free(b);
    }
    *a = ARENA_INIT;
}

void arena_clear(struct arena *a)
{
    struct arena_block *keep = a->blocks;
    if (!keep || keep->bytes > MOST_BYTES) {
        arena_deinit(a);
        return;
    }
    a->blocks = keep->older;
    arena_deinit(a);
    keep->older = NULL;
    *a = (struct arena){keep, keep->data, keep->data + keep->bytes, sizeof *keep + keep->bytes};
}

static void *alloc_slow(struct arena *a, size_t bytes)
{
    size_t block_bytes = a->blocks ? a->blocks->bytes * 2 : FIRST_BYTES;
    if (block_bytes > MOST_BYTES)
        block_bytes = MOST_BYTES;
    bool own = bytes > block_bytes / 4;
    struct arena_block *b = mem_alloc(sizeof *b + (own ? bytes : block_bytes));
    b->bytes = own ? bytes : block_bytes;
    a->used_bytes += sizeof *b + b->bytes;
    if (own && a->blocks) { /* the current block stays in use */
        b->older = a->blocks->older;
        a->blocks->older = b;
        return b->data;
    }
    b->older = a->blocks;
    a->blocks = b;
    a->at = b->data + bytes;
    a->end = b->data + b->bytes;
    return b->data;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        abort();
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if ((size_t)(a->end - a->at) < bytes || !a->blocks)
        return alloc_slow(a, bytes);
    void *p = a->at;
    a->at += bytes;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n, size_t elem_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, elem_bytes, &bytes))
        abort();
    return memset(arena_alloc(a, bytes), 0, bytes);
}

void *arena_grow(struct arena *a, void *p, size_t *cap, size_t need, size_t elem_bytes)
{
    enum { FIRST = 8 };
    if (*cap >= need)
        return p;
    size_t n = *cap > SIZE_MAX / 2 ? SIZE_MAX : 2 * *cap, bytes;
    if (n < need)
        n = need;
    if (n < FIRST)
        n = FIRST;
    if (__builtin_mul_overflow(n, elem_bytes, &bytes))
        abort();
    void *bigger = arena_alloc(a, bytes);
    if (*cap)
        memcpy(bigger, p, *cap * elem_bytes);
    *cap = n;
    return bigger;
}

struct str_view arena_copy(struct arena *a, struct str_view v)
{
    char *p = arena_alloc(a, v.len + 1);
    if (v.len)
        memcpy(p, v.p, v.len);
    p[v.len] = '\0';
    return (struct str_view){p, v.len};
}

struct str_view arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str_view){p, (size_t)n};
}
