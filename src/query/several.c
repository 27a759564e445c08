/* SPDX-License-Identifier: Apache-2.0 */
#include "query/several.h"

#include "model/tenant_label.h"
#include "query/text_set.h"

int several_each(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                 selection_fn *fn, void *ctx, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < n_envs && r == 0; i++) {
        struct selection s;
        r = selection_open(&s, &envs[i], q, err);
        if (r == 0)
            r = fn(ctx, &s, err);
        selection_close(&s);
    }
    return r;
}

/* ---- names and values ---- */

struct tenant_texts {
    const struct str_view *name;
    struct arena *arena;
    struct index_names one;
    struct text_set *joint; /* of several tenants */
};

static int find_texts(void *ctx, struct selection *s, struct err *err)
{
    struct tenant_texts *t = ctx;
    int r = t->name ? lookup_values(s, *t->name, t->arena, &t->one, err)
                    : lookup_names(s, t->arena, &t->one, err);
    for (size_t i = 0; t->joint && i < t->one.n && r == 0; i++)
        text_set_add(t->joint, t->one.v[i]);
    return r;
}

int several_texts(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                  const struct str_view *name, struct arena *a, struct index_names *ret,
                  struct err *err)
{
    CLEANUP(text_set_deinit) struct text_set set = {0};
    bool asks_tenants = name && sv_eq(*name, SV(TENANT_LABEL)) && n_envs > 1;
    struct tenant_texts t = {name, a, {0}, n_envs > 1 && !asks_tenants ? &set : NULL};
    int r = several_each(envs, n_envs, q, find_texts, &t, err);
    if (r < 0 || n_envs == 1) {
        *ret = t.one;
        return r;
    }
    for (size_t i = 0; asks_tenants && i < n_envs; i++)
        text_set_add(&set, envs[i].tenant);
    if (!name)
        text_set_add(&set, SV(TENANT_LABEL));
    uint64_t charged_bytes = a->used_bytes;
    text_set_sorted(&set, a, &ret->v, &ret->n);
    return query_charge_arena(envs[0].control, a, &charged_bytes, err);
}

/* ---- series ---- */

static int add_series(void *ctx, struct selection *s, struct err *err)
{
    return lookup_series(s, ctx, err);
}

static int add_named_series(void *ctx, struct selection *s, struct err *err)
{
    CLEANUP(series_set_deinit) struct series_set one;
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct series_set *to = ctx;
    uint64_t before = series_set_bytes(to);
    series_set_init(&one);
    int r = lookup_series(s, &one, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < one.n; i++) {
        arena_clear(&scratch);
        series_set_add(to, tenant_label_add(&scratch, series_set_labels(&one, i), s->env->tenant));
    }
    query_release(s->env->control, series_set_bytes(&one));
    return query_charge(s->env->control, series_set_bytes(to) - before, err);
}

int several_series(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                   struct series_set *set, struct err *err)
{
    return several_each(envs, n_envs, q, n_envs > 1 ? add_named_series : add_series, set, err);
}

/* ---- statistics ---- */

static int add_stats(void *ctx, struct selection *s, struct err *err)
{
    return lookup_stats(s, ctx, err);
}

int several_stats(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                  struct index_stats *to, struct err *err)
{
    return several_each(envs, n_envs, q, add_stats, to, err);
}
