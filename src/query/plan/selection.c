/* SPDX-License-Identifier: Apache-2.0 */
#include "query/plan/selection.h"

#include <assert.h>

#include "base/clock.h"
#include "query/plan/tenant_matchers.h"
#include "store/view.h"
#include "wire/stats.h"

/* ---- matchers ---- */

static int add_matcher(struct selection *s, const struct matcher *from, struct err *err)
{
    struct matcher *m = &s->matchers[s->n_matchers];
    *m = *from;
    m->regex = NULL;
    int r = matcher_compile(m, err);
    if (r < 0)
        return r;
    s->n_matchers++; /* from here on selection_close() frees it */
    return m->regex ? compile_charge(&s->compile, regex_mem_bytes(m->regex), err) : 0;
}

static int compile_matchers(struct selection *s, const struct selection_query *q, struct err *err)
{
    const struct read_scope *scope = s->env->scope;
    const struct matcher *own = q->matchers;
    size_t n = q->n_matchers;
    int r = 0;
    if (s->env->one_of_several)
        r = tenant_matchers(&s->arena, own, n, s->env->tenant, &own, &n, err);
    if (r < 0)
        return r;
    s->matchers = ARENA_ARRAY(&s->arena, struct matcher, n + scope->n_matchers);
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_matcher(s, &own[i], err);
    for (size_t i = 0; i < scope->n_matchers && r == 0; i++)
        r = add_matcher(s, &scope->matchers[i], err);
    return r;
}

/* ---- open, close ---- */

static void count_time(const struct selection *s, int64_t since_mono_ns)
{
    int64_t took_ns = clock_mono_ns() - since_mono_ns;
    s->env->stats->index_chunk_refs_lookup_s += (double)took_ns / NS_PER_S;
    s->env->stats->store.chunk_refs_fetch_time_ns += took_ns;
}

/* A regex ends early when its query does, with any result: asked before one is trusted. */
static int find_recent(struct selection *s, struct err *err)
{
    const struct recent_source *recent = &s->env->source->recent;
    int64_t start_ns = clock_mono_ns();
    int r = recent->open(recent->self, s->env->tenant, s->matchers, s->n_matchers, &s->arena,
                         &s->recent, err);
    if (r < 0)
        return r;
    count_time(s, start_ns);
    r = query_check(s->env->control, err);
    return r < 0 ? r : query_charge_arena(s->env->control, &s->arena, &s->charged_bytes, err);
}

int selection_open(struct selection *s, const struct query_env *env,
                   const struct selection_query *q, struct err *err)
{
    assert(env->scope && env->deletes && env->deletes->n == 0);
    *s = (struct selection){.env = env,
                            .within = q->within,
                            .compile = {.control = env->control},
                            .scratch = query_scratch_new(env->control)};
    int r = compile_matchers(s, q, err);
    return r < 0 ? r : find_recent(s, err);
}

void selection_close(struct selection *s)
{
    if (!s->env)
        return;
    view_unpin(s->recent.view);
    for (size_t i = 0; i < s->n_matchers; i++)
        matcher_deinit(&s->matchers[i]);
    regex_scratch_free(s->scratch);
    query_release(s->env->control, s->charged_bytes + s->compile.charged_bytes);
    arena_deinit(&s->arena);
    *s = (struct selection){0};
}

/* ---- questions ---- */

static struct index_query query_of(const struct selection *s)
{
    return (struct index_query){.view = s->recent.view,
                                .tenant = s->env->tenant,
                                .matchers = s->matchers,
                                .n_matchers = s->n_matchers,
                                .min_ts_ns = s->within.min_ns,
                                .max_ts_ns = s->within.max_ns,
                                .scratch = s->scratch,
                                .max_bytes = s->env->control->max_bytes};
}

static int over_budget(const struct selection *s, const char *what, struct err *err)
{
    return err_set(err, ERR_OVER_BUDGET,
                   "the list of %s that the query selects needs more than %llu bytes of memory "
                   "(querier.max_query_memory): shorten its range or add matchers",
                   what, (unsigned long long)s->env->control->max_bytes);
}

/* What came of a question. */
static int end_question(const struct selection *s, int r, int64_t start_ns, const char *what,
                        struct err *err)
{
    count_time(s, start_ns);
    if (r == ERR_OVER_BUDGET)
        return over_budget(s, what, err);
    return r < 0 ? r : query_check(s->env->control, err);
}

int selection_runs(const struct selection *s, struct arena *a, struct index_selection *ret,
                   struct err *err)
{
    int64_t start_ns = clock_mono_ns();
    struct index_query q = query_of(s);
    int r = index_select(s->env->source->index, &q, a, ret, err);
    return end_question(s, r, start_ns, "streams and chunks", err);
}

int selection_series(const struct selection *s, struct arena *a, struct index_series **ret,
                     size_t *ret_n, struct err *err)
{
    int64_t start_ns = clock_mono_ns();
    struct index_query q = query_of(s);
    int r = index_series(s->env->source->index, &q, a, ret, ret_n, err);
    return end_question(s, r, start_ns, "streams", err);
}

int selection_label_names(const struct selection *s, struct arena *a, struct index_names *ret,
                          struct err *err)
{
    int64_t start_ns = clock_mono_ns();
    struct index_query q = query_of(s);
    int r = index_label_names(s->env->source->index, &q, a, ret, err);
    return end_question(s, r, start_ns, "label names", err);
}

int selection_label_values(const struct selection *s, struct str_view name, struct arena *a,
                           struct index_names *ret, struct err *err)
{
    int64_t start_ns = clock_mono_ns();
    struct index_query q = query_of(s);
    int r = index_label_values(s->env->source->index, &q, name, a, ret, err);
    return end_question(s, r, start_ns, "label values", err);
}
