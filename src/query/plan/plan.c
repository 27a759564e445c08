/* SPDX-License-Identifier: Apache-2.0 */
#include "query/plan/plan.h"

#include "model/limits.h"
#include "query/damage.h"
#include "query/plan/plan_impl.h"
#include "store/view.h"
#include "wire/stats.h"

/* ---- parts ---- */

static int check_runs(const struct plan_part *part, struct err *err)
{
    for (size_t i = 0; i < part->selected->n_runs; i++) {
        const struct segment_run *run = &part->selected->runs[i].run;
        if (run->chunk >= part->part->n_chunks || run->rows == 0 ||
            run->first_row >= part->part->chunks[run->chunk].rows ||
            run->rows > part->part->chunks[run->chunk].rows - run->first_row)
            return err_set(err, ERR_CORRUPT, "the index names rows that its segment has not");
    }
    return 0;
}

static int open_directory(struct plan_part *part, struct err *err)
{
    uint32_t part_no = part->selected->part_no;
    int r = open_segment_part(part->open, part_no, &part->part, err);
    if (r < 0)
        return r;
    part->source = chunk_source_of(open_segment_source(part->open, part_no));
    return check_runs(part, err);
}

/* One that is damaged is no part of the plan. */
static int open_part(struct plan *p, const struct index_selected_part *selected, struct err *err)
{
    struct segments *segments = p->env->source->segments;
    struct plan_part *part = &p->parts[p->n_parts];
    const struct segment_info *info = &selected->segment->info;
    struct damage_place at = {info->uuid, info->key, DAMAGE_ALL, DAMAGE_ALL};
    struct err why = ERR_INIT;
    *part = (struct plan_part){.selected = selected};
    int r = segments_get(segments, selected->segment, &part->open, &why);
    if (r == 0) {
        at.part_no = selected->part_no;
        r = open_directory(part, &why);
    }
    if (r == 0) {
        p->n_parts++;
        return 0;
    }
    segments_put(segments, part->open);
    if (err)
        *err = why;
    return query_damage_meet(p->env->damage, segments, &at, r, sv_of(why.text), err);
}

static int open_parts(struct plan *p, struct err *err)
{
    p->parts = ARENA_ARRAY(&p->arena, struct plan_part, p->stored.n_parts);
    for (size_t i = 0; i < p->stored.n_parts; i++) {
        int r = query_check(p->env->control, err);
        if (r == 0)
            r = open_part(p, &p->stored.parts[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the plan ---- */

static int over_limit(const char *what, uint64_t n, int64_t limit, const char *key, struct err *err)
{
    if (limit <= 0 || n <= (uint64_t)limit)
        return 0;
    return err_set(err, ERR_OVER_BUDGET,
                   "the query would read too many %s: %llu, limit %lld (limits_config.%s): shorten "
                   "its range or add matchers",
                   what, (unsigned long long)n, (long long)limit, key);
}

static int check_limits(const struct plan *p, struct err *err)
{
    const struct limits *l = p->env->limits;
    int r = over_limit("streams", p->n_streams, l->cardinality_limit, "cardinality_limit", err);
    return r < 0 ? r
                 : over_limit("chunks", p->n_chunks, l->max_chunks_per_query,
                              "max_chunks_per_query", err);
}

static void count_plan(const struct plan *p)
{
    struct query_stats *s = p->env->stats;
    s->store.total_chunks_ref += (int64_t)p->n_chunks;
    s->index_total_chunks += (int64_t)p->n_chunks;
    s->index_total_streams += p->n_streams;
    s->ingester_reached = 1;
    s->ingester_chunks_matched += (int64_t)p->n_head_strands;
}

int plan_open(struct plan *p, const struct selection *s, enum plan_order order, struct err *err)
{
    *p = (struct plan){.env = s->env, .within = s->within, .view = s->recent.view};
    int r = selection_runs(s, &p->arena, &p->stored, err);
    if (r == 0)
        r = query_charge_arena(p->env->control, &p->arena, &p->charged_bytes, err);
    if (r == 0)
        r = plan_join_streams(p, &s->recent, err);
    if (r == 0)
        r = open_parts(p, err);
    if (r == 0)
        r = plan_find_strands(p, order, err);
    if (r == 0)
        r = check_limits(p, err);
    if (r == 0)
        r = query_charge_arena(p->env->control, &p->arena, &p->charged_bytes, err);
    if (r == 0)
        count_plan(p);
    return r;
}

void plan_close(struct plan *p)
{
    if (!p->env)
        return;
    for (size_t i = 0; i < p->n_parts; i++)
        segments_put(p->env->source->segments, p->parts[i].open);
    query_release(p->env->control, p->charged_bytes);
    arena_deinit(&p->arena);
}
