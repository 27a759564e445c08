/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that is dropped in one call: one request, one query, one tree.
 * Blocks grow from 4 KiB to 256 KiB; larger pieces get a block of their own.  Allocation aborts
 * when memory is exhausted, so a size from outside meets its limit before it comes here.
 * Threads: one thread at a time owns an arena. */
#pragma once
#include <stddef.h>

#include "base/str_view.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* what is left of the newest block */
    size_t used_bytes;          /* all blocks, their headers included: for budgets */
};
#define ARENA_INIT ((struct arena){0})

void arena_deinit(struct arena *a);
/* Empties it and keeps the newest block when it is an ordinary one. */
void arena_clear(struct arena *a);
/* 16-byte aligned, uninitialised. */
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_zalloc(struct arena *a, size_t n, size_t elem_bytes);
/* As mem_grow(), doubling: the old array stays in the arena, unused.  What is new is uninitialised.
 */
void *arena_grow(struct arena *a, void *p, size_t *cap, size_t need, size_t elem_bytes);
/* Copies; a NUL follows that the view does not count. */
struct str_view arena_copy(struct arena *a, struct str_view v);
struct str_view arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), (n), sizeof(type)))
