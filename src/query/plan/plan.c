/* SPDX-License-Identifier: Apache-2.0 */
#include "query/plan/plan.h"

#include "base/clock.h"
#include "model/limits.h"
#include "query/plan/plan_impl.h"
#include "store/view.h"
#include "wire/stats.h"

static int compile_matchers(struct plan *p, const struct matcher *from, size_t n, struct err *err)
{
    p->matchers = ARENA_ARRAY(&p->arena, struct matcher, n);
    for (; p->n_matchers < n; p->n_matchers++) {
        p->matchers[p->n_matchers] = from[p->n_matchers];
        p->matchers[p->n_matchers].regex = NULL;
        int r = matcher_compile(&p->matchers[p->n_matchers], err);
        if (r < 0)
            return r;
        const struct regex *re = p->matchers[p->n_matchers].regex;
        r = re ? compile_charge(&p->compile, regex_mem_bytes(re), err) : 0;
        if (r < 0) {
            p->n_matchers++; /* to be freed with the others */
            return r;
        }
    }
    return 0;
}

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

static int open_part(struct plan *p, const struct index_selected_part *selected, struct err *err)
{
    struct plan_part *part = &p->parts[p->n_parts];
    part->selected = selected;
    int r = segments_get(p->env->source->segments, selected->segment, &part->open, err);
    if (r < 0)
        return r;
    p->n_parts++;
    r = open_segment_part(part->open, selected->part_no, &part->part, err);
    if (r < 0)
        return r;
    part->source = chunk_source_of(open_segment_source(part->open, selected->part_no));
    return check_runs(part, err);
}

static int open_parts(struct plan *p, struct err *err)
{
    p->parts = ARENA_ARRAY(&p->arena, struct plan_part, p->selection.n_parts);
    for (size_t i = 0; i < p->selection.n_parts; i++) {
        int r = query_check(p->env->control, err);
        if (r == 0)
            r = open_part(p, &p->selection.parts[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the plan ---- */

static int find(struct plan *p, struct recent *recent, struct err *err)
{
    const struct query_source *source = p->env->source;
    int64_t start_ns = clock_mono_ns();
    int r = source->recent.open(source->recent.self, p->env->tenant, p->matchers, p->n_matchers,
                                &p->arena, recent, err);
    if (r < 0)
        return r;
    p->view = recent->view;
    struct index_query q = {.view = p->view,
                            .tenant = p->env->tenant,
                            .matchers = p->matchers,
                            .n_matchers = p->n_matchers,
                            .min_ts_ns = p->within.min_ns,
                            .max_ts_ns = p->within.max_ns,
                            .scratch = query_scratch_new(p->env->control),
                            .max_bytes = p->env->control->max_bytes};
    r = index_select(source->index, &q, &p->arena, &p->selection, err);
    regex_scratch_free(q.scratch);
    if (r == 0)
        r = query_check(p->env->control, err);
    p->env->stats->index_chunk_refs_lookup_s += (double)(clock_mono_ns() - start_ns) / NS_PER_S;
    p->env->stats->store.chunk_refs_fetch_time_ns += clock_mono_ns() - start_ns;
    if (r == ERR_OVER_BUDGET)
        return err_set(err, r,
                       "the list of streams and chunks that the query selects needs more than %llu "
                       "bytes of memory (querier.max_query_memory): shorten its range or add "
                       "matchers",
                       (unsigned long long)q.max_bytes);
    return r;
}

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
    s->ingester_chunks_matched += (int64_t)p->n_head_runs;
}

int plan_open(struct plan *p, const struct query_env *env, const struct plan_query *query,
              struct err *err)
{
    *p = (struct plan){.env = env, .within = query->within, .compile = {.control = env->control}};
    struct recent recent = {0};
    int r = compile_matchers(p, query->matchers, query->n_matchers, err);
    if (r == 0)
        r = find(p, &recent, err);
    if (r == 0)
        r = query_charge_arena(env->control, &p->arena, &p->charged_bytes, err);
    if (r == 0)
        r = plan_join_streams(p, &recent, err);
    if (r == 0)
        r = open_parts(p, err);
    if (r == 0)
        r = plan_find_runs(p, query->order, err);
    if (r == 0)
        r = check_limits(p, err);
    if (r == 0)
        r = query_charge_arena(env->control, &p->arena, &p->charged_bytes, err);
    if (r == 0)
        count_plan(p);
    return r;
}

void plan_close(struct plan *p)
{
    for (size_t i = 0; i < p->n_parts; i++)
        segments_put(p->env->source->segments, p->parts[i].open);
    for (size_t i = 0; i < p->n_matchers; i++)
        matcher_deinit(&p->matchers[i]);
    view_unpin(p->view);
    query_release(p->env->control, p->charged_bytes + p->compile.charged_bytes);
    arena_deinit(&p->arena);
}
