/* SPDX-License-Identifier: Apache-2.0 */
/* What a table must hold, as a view has it. */
#include <stdlib.h>

#include "store/index/table.h"
#include "store/view.h"

struct expecting {
    struct uuid *unread;
    size_t n_unread, cap_unread;
};

static bool has_period(const struct segment_info *info, const struct period *p)
{
    for (size_t i = 0; i < info->n_periods && info->periods[i].start_ns <= p->start_ns; i++)
        if (info->periods[i].start_ns == p->start_ns && info->periods[i].length_ns == p->length_ns)
            return true;
    return false;
}

/* The catalog counts the parts of all periods. */
static bool is_plausible(const struct segment_info *info, uint64_t n_here)
{
    if (info->n_periods == 1)
        return n_here == info->n_parts;
    return n_here >= 1 && n_here + info->n_periods - 1 <= info->n_parts;
}

static int meet_segment(struct expecting *m, struct kv_txn *t, const struct segment_info *info,
                        struct err *err)
{
    struct str_view key = sv((const char *)info->uuid.b, UUID_BYTES), v;
    struct table_segment s;
    int r = kv_get(t, TABLE_SEGMENTS, key, &v, err);
    if (r == KV_NONE)
        return err_set(err, ERR_CORRUPT, "it does not have segment '%.*s'", SV_ARG(info->key));
    if (r == KV_OK)
        r = table_segment_of(key, v, &s, err);
    if (r < 0)
        return r;
    if (!is_plausible(info, s.refs.len / TABLE_REF_BYTES + s.n_unread))
        return err_set(err, ERR_CORRUPT, "it does not have all parts of segment '%.*s'",
                       SV_ARG(info->key));
    if (s.n_unread > 0) {
        m->unread = mem_grow(m->unread, &m->cap_unread, m->n_unread + 1, sizeof *m->unread);
        m->unread[m->n_unread++] = info->uuid;
    }
    return 0;
}

int table_meet_view(struct table *t, const struct view *view, const struct period *period,
                    struct uuid **ret_unread, size_t *ret_n, struct err *err)
{
    struct expecting m = {0};
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < view->n_segments && r == 0; i++)
        if (has_period(&view->segments[i]->info, period))
            r = meet_segment(&m, &txn, &view->segments[i]->info, err);
    kv_read_end(&txn);
    if (r < 0) {
        free(m.unread);
        return r;
    }
    *ret_unread = m.unread;
    *ret_n = m.n_unread;
    return 0;
}
