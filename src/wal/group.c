/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/group.h"

#include "base/crc32c.h"

void group_clear(struct group_draft *g)
{
    g->next = NULL;
    buf_clear(&g->bytes);
    g->n_extents = g->n_waiters = g->n_records = 0;
    g->payload_bytes = 0;
    buf_clear(&g->policies);
    g->closed = false;
}

void group_free(struct group_draft *g)
{
    if (!g)
        return;
    buf_deinit(&g->bytes);
    buf_deinit(&g->policies);
    free(g->extents);
    free(g->waiters);
    free(g);
}

static void add_extent(struct group_draft *g, const char *borrowed, size_t len)
{
    struct group_extent *tail = g->n_extents ? &g->extents[g->n_extents - 1] : NULL;
    g->payload_bytes += len;
    if (len == 0)
        return;
    if (tail && !tail->borrowed && !borrowed) {
        tail->len += len;
        return;
    }
    g->extents = mem_grow(g->extents, &g->cap_extents, g->n_extents + 1, sizeof *g->extents);
    g->extents[g->n_extents++] = (struct group_extent){borrowed, len};
}

static void add_copied(struct group_draft *g, const void *p, size_t len)
{
    buf_put_bytes(&g->bytes, p, len);
    add_extent(g, NULL, len);
}

uint64_t group_add_record(struct group_draft *g, enum wal_record_type type, struct str_view prefix,
                          struct str_view body)
{
    static const char zeros[WAL_RECORD_ALIGN_BYTES];
    char header[WAL_RECORD_HEADER_BYTES];
    uint64_t lsn = wal_lsn(g->epoch, g->at) + WAL_GROUP_HEADER_BYTES + g->payload_bytes;
    size_t len = prefix.len + body.len;
    wal_put_record_header(header, type, (uint32_t)len);
    add_copied(g, header, sizeof header);
    add_copied(g, prefix.p, prefix.len);
    add_extent(g, body.p, body.len);
    add_copied(g, zeros, wal_align(len, WAL_RECORD_ALIGN_BYTES) - len);
    g->n_records++;
    return lsn;
}

void group_add_waiter(struct group_draft *g, struct wal_waiter waiter)
{
    if (!waiter.fn)
        return;
    g->waiters = mem_grow(g->waiters, &g->cap_waiters, g->n_waiters + 1, sizeof *g->waiters);
    g->waiters[g->n_waiters++] = waiter;
}

uint32_t group_crc(const struct group_draft *g)
{
    uint32_t crc = 0;
    const char *own = g->bytes.p;
    for (size_t i = 0; i < g->n_extents; i++) {
        const struct group_extent *x = &g->extents[i];
        crc = crc32c_extend(crc, sv(x->borrowed ? x->borrowed : own, x->len));
        own += x->borrowed ? 0 : x->len;
    }
    return crc;
}
