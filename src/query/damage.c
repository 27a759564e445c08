/* SPDX-License-Identifier: Apache-2.0 */
#include "query/damage.h"

#include "base/metrics.h"
#include "store/segments.h"

COUNTER(damaged_chunks, "halogi_querier_damaged_chunks_total",
        "Chunks, and whole parts and segments, that queries left out because their bytes are "
        "damaged or gone");

void query_damage_init(struct query_damage *d, bool is_fatal)
{
    d->is_fatal = is_fatal;
    damage_list_init(&d->list);
}

void query_damage_deinit(struct query_damage *d)
{
    damage_list_deinit(&d->list);
}

int query_damage_meet(struct query_damage *d, struct segments *segments,
                      const struct damage_place *at, int r, struct str_view why, struct err *err)
{
    if (!damage_is(r))
        return r;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    damage_describe(&text, at, why);
    segments_note_damage(segments, at, buf_view(&text));
    if (d->is_fatal)
        return err_set(err, ERR_CORRUPT, "damaged: %.*s", SV_ARG(buf_view(&text)));
    if (damage_list_add(&d->list, at, buf_view(&text)))
        metric_add(&damaged_chunks, 1);
    return 0;
}

void query_damage_note(struct segments *segments, const struct damage_place *at, const char *what,
                       struct str_view why)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    buf_put(&text, sv_of(what));
    damage_describe(&text, at, why);
    segments_note_damage(segments, at, buf_view(&text));
}
