/* SPDX-License-Identifier: Apache-2.0 */
/* Overrides by tenant.  A map of names is immutable; a reload builds the next one and swaps it in.
 * Maps and limits of the past stay until the table goes, so a reader needs no lock. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"
#include "model/limits.h"

static const struct limits *fixed_get(void *self, struct str_view tenant)
{
    return *(struct limits **)&self;
}

struct limits_source limits_source_fixed(const struct limits *l)
{
    struct limits_source s = {.get = fixed_get};
    memcpy(&s.self, &l, sizeof s.self);
    return s;
}

struct override {
    struct str_view tenant;
    struct str_view text; /* all values as YAML: tells whether anything changed */
    const struct limits *limits;
};

struct override_map {
    struct override *v; /* sorted by tenant */
    size_t n;
};

struct limits_table {
    struct limits global;               /* fixed at init */
    struct mutex mu;                    /* one load at a time */
    struct arena arena;                 /* guarded by mu */
    _Atomic(struct override_map *) map; /* in arena */
};

struct limits_table *limits_table_new(const struct limits *global)
{
    struct limits_table *t = mem_zalloc(1, sizeof *t);
    t->global = *global;
    mutex_init(&t->mu);
    atomic_init(&t->map, ARENA_NEW(&t->arena, struct override_map));
    return t;
}

void limits_table_free(struct limits_table *t)
{
    if (!t)
        return;
    mutex_deinit(&t->mu);
    arena_deinit(&t->arena);
    free(t);
}

static const struct override *find(const struct override_map *m, struct str_view tenant)
{
    size_t lo = 0, hi = m->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = sv_cmp(m->v[mid].tenant, tenant);
        if (c == 0)
            return &m->v[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static const struct limits *table_get(void *self, struct str_view tenant)
{
    struct limits_table *t = self;
    const struct override *o = find(atomic_load_explicit(&t->map, memory_order_acquire), tenant);
    return o ? o->limits : &t->global;
}

struct limits_source limits_source_of_table(struct limits_table *t)
{
    return (struct limits_source){.get = table_get, .self = t};
}

static int load_one(struct limits_table *t, const struct override_map *old, struct str_view tenant,
                    const struct conf_node *node, struct arena *a, struct override *ret,
                    struct err *err)
{
    CLEANUP(buf_deinit) struct buf where = BUF_INIT, text = BUF_INIT;
    buf_printf(&where, "overrides.%.*s%c", SV_ARG(tenant), 0);
    struct limits l = t->global;
    int r = conf_rows_apply(limits_rows, limits_n_rows, &l, node, where.p, true, a, err);
    if (r < 0)
        return r;
    r = limits_finish(&l, err);
    if (r < 0)
        return err_context(err, r, "%s", where.p);
    conf_rows_print(limits_rows, limits_n_rows, &l, 0, NULL, NULL, &text);
    const struct override *same = find(old, tenant);
    if (same && sv_eq(same->text, buf_view(&text))) {
        *ret = *same;
        return 0;
    }
    struct limits *kept = arena_alloc(a, sizeof *kept);
    *kept = l;
    *ret = (struct override){arena_copy(a, tenant), arena_copy(a, buf_view(&text)), kept};
    return 0;
}

static int compare_overrides(const void *a, const void *b)
{
    return sv_cmp(((const struct override *)a)->tenant, ((const struct override *)b)->tenant);
}

static int check_keys(const struct conf_node *root, const char *name, struct err *err)
{
    for (size_t i = 0; i < root->n; i++)
        if (!sv_eq(root->keys[i], SV("overrides")) && !sv_eq(root->keys[i], SV("configs")))
            return err_set(err, ERR_INVALID,
                           "%s:%u: unknown key '%.*s'; known are overrides and configs", name,
                           root->key_lines[i], SV_ARG(root->keys[i]));
    return 0;
}

static int load_locked(struct limits_table *t, struct str_view yaml, const char *name,
                       struct err *err)
{
    mutex_assert_held(&t->mu);
    const struct conf_node *root;
    int r = conf_yaml_parse(yaml, &t->arena, &root, err);
    if (r == 0 && root->kind != CONF_NODE_MAP)
        r = err_set(err, ERR_INVALID, "%s: not a map", name);
    if (r == 0)
        r = check_keys(root, name, err);
    if (r < 0)
        return r;
    const struct override_map *old = atomic_load(&t->map);
    struct override_map *m = ARENA_NEW(&t->arena, struct override_map);
    const struct conf_node *overrides = conf_node_get(root, SV("overrides"));
    if (overrides && overrides->kind != CONF_NODE_MAP && !overrides->is_null)
        return err_set(err, ERR_INVALID, "%s:%u: overrides is not a map", name, overrides->line);
    if (overrides && overrides->kind == CONF_NODE_MAP) {
        m->v = ARENA_ARRAY(&t->arena, struct override, overrides->n);
        for (size_t i = 0; i < overrides->n; i++) {
            if (overrides->items[i]->is_null)
                continue;
            r = load_one(t, old, overrides->keys[i], overrides->items[i], &t->arena, &m->v[m->n],
                         err);
            if (r < 0)
                return err_context(err, r, "%s", name);
            m->n++;
        }
        qsort(m->v, m->n, sizeof *m->v, compare_overrides);
    }
    atomic_store_explicit(&t->map, m, memory_order_release);
    return 0;
}

int limits_table_load(struct limits_table *t, struct str_view yaml, const char *name,
                      struct err *err)
{
    MUTEX_GUARD(&t->mu);
    return load_locked(t, yaml, name, err);
}
