/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/head_pages.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/thread.h"

/* Stands at the start of an idle page. */
struct idle_page {
    struct idle_page *next;
};

struct head_pages {
    struct ledger *ledger;   /* fixed at init */
    uint64_t max_idle_pages; /* fixed at init */
    _Atomic uint32_t refs;
    struct mutex mu;
    /* guarded by mu */
    struct idle_page *idle;
    uint64_t n_idle, n_idle_least; /* the least since the last trim */
};

void *head_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        abort();
    return p;
}

void head_unmap(void *p, size_t bytes)
{
    int r = munmap(p, bytes);
    assert(r == 0);
}

struct head_pages *head_pages_new(struct ledger *ledger, uint64_t max_idle_bytes)
{
    struct head_pages *p = mem_zalloc(1, sizeof *p);
    p->ledger = ledger;
    p->max_idle_pages = max_idle_bytes / HEAD_PAGE_BYTES;
    atomic_init(&p->refs, 1);
    mutex_init(&p->mu);
    return p;
}

struct head_pages *head_pages_ref(struct head_pages *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

/* An idle page, its charge given back; NULL when there is none. */
static char *take_idle_locked(struct head_pages *p)
{
    mutex_assert_held(&p->mu);
    struct idle_page *page = p->idle;
    if (!page)
        return NULL;
    p->idle = page->next;
    p->n_idle--;
    if (p->n_idle < p->n_idle_least)
        p->n_idle_least = p->n_idle;
    if (p->ledger)
        ledger_release(p->ledger, LEDGER_CACHES, HEAD_PAGE_BYTES);
    return (char *)page;
}

void head_pages_unref(struct head_pages *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    mutex_lock(&p->mu); /* nobody else is left */
    for (char *page; (page = take_idle_locked(p));)
        head_unmap(page, HEAD_PAGE_BYTES);
    mutex_unlock(&p->mu);
    mutex_deinit(&p->mu);
    free(p);
}

char *head_pages_take(struct head_pages *p)
{
    mutex_lock(&p->mu);
    char *page = take_idle_locked(p);
    mutex_unlock(&p->mu);
    return page ? page : head_map(HEAD_PAGE_BYTES);
}

void head_pages_give(struct head_pages *p, char *page)
{
    mutex_lock(&p->mu);
    bool keep = p->n_idle < p->max_idle_pages &&
                (!p->ledger || ledger_try_charge(p->ledger, LEDGER_CACHES, HEAD_PAGE_BYTES));
    if (keep) {
        struct idle_page *idle = (struct idle_page *)(void *)page;
        idle->next = p->idle;
        p->idle = idle;
        p->n_idle++;
    }
    mutex_unlock(&p->mu);
    if (!keep)
        head_unmap(page, HEAD_PAGE_BYTES);
}

void head_pages_trim(struct head_pages *p)
{
    struct idle_page *go = NULL;
    mutex_lock(&p->mu);
    for (uint64_t n = p->n_idle_least; n > 0; n--) {
        struct idle_page *page = (struct idle_page *)(void *)take_idle_locked(p);
        page->next = go;
        go = page;
    }
    p->n_idle_least = p->n_idle;
    mutex_unlock(&p->mu);
    while (go) {
        struct idle_page *next = go->next;
        head_unmap(go, HEAD_PAGE_BYTES);
        go = next;
    }
}

uint64_t head_pages_idle_bytes(struct head_pages *p)
{
    MUTEX_GUARD(&p->mu);
    return p->n_idle * HEAD_PAGE_BYTES;
}
