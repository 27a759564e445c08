/* SPDX-License-Identifier: Apache-2.0 */
/* head_pages.h - memory of heads, handed from one generation to the next.  A fresh page costs a
 * fault for each 4 KiB of it, several times what copying the lines costs, so a generation that
 * goes leaves its pages for the one that comes.
 * Idle pages are charged to LEDGER_CACHES; one that the ledger refuses is given back at once.
 * Threads: any. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/ledger.h"

enum { HEAD_PAGE_BYTES = 1 << 20 };

struct head_pages;

/* ledger may be NULL and outlives all references.  The pages come with one reference. */
struct head_pages *head_pages_new(struct ledger *ledger, uint64_t max_idle_bytes);
struct head_pages *head_pages_ref(struct head_pages *p);
void head_pages_unref(struct head_pages *p); /* NULL is fine */

/* HEAD_PAGE_BYTES, not cleared. */
char *head_pages_take(struct head_pages *p);
void head_pages_give(struct head_pages *p, char *page); /* of head_pages_take() */
/* Gives the pages back to the system that nobody needed since the last call: call it now and then,
 * some ten times as rarely as generations follow each other under load. */
void head_pages_trim(struct head_pages *p);
uint64_t head_pages_idle_bytes(struct head_pages *p); /* that nobody uses now */

/* Zeroed memory straight from the system, aborts when there is none; for what is mostly never
 * touched or goes in one piece. */
void *head_map(size_t bytes);
void head_unmap(void *p, size_t bytes);
