/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "chunk/segment.h"
#include "merge/merge.h"

enum { OWN_OBJECT_SHARE = 4 };

size_t merge_choose(const struct merge_candidate *v, size_t n, uint64_t max_bytes)
{
    uint64_t bytes = 0, n_streams = 0;
    size_t taken = 0;
    while (taken < n && taken < MERGE_MAX_SOURCES) {
        bytes += v[taken].bytes;
        n_streams += v[taken].n_streams;
        if (taken > 0 && (bytes > max_bytes || n_streams > MERGE_MAX_STREAMS))
            break;
        taken++;
    }
    return taken;
}

static int by_name(const void *a, const void *b)
{
    return sv_cmp(((const struct merge_tenant *)a)->name, ((const struct merge_tenant *)b)->name);
}

size_t merge_list_tenants(struct arena *arena, struct segment *const *sources, size_t n_sources,
                          struct merge_tenant **ret)
{
    size_t n_parts = 0, n = 0, kept = 0;
    for (size_t s = 0; s < n_sources; s++)
        n_parts += sources[s]->n_parts;
    struct merge_tenant *v = ARENA_ARRAY(arena, struct merge_tenant, n_parts);
    for (size_t s = 0; s < n_sources; s++)
        for (uint32_t i = 0; i < sources[s]->n_parts; i++)
            v[n++] = (struct merge_tenant){.name = sources[s]->parts[i].tenant,
                                           .bytes = sources[s]->parts[i].bytes};
    if (n > 1)
        qsort(v, n, sizeof *v, by_name);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && sv_eq(v[kept - 1].name, v[i].name))
            v[kept - 1].bytes += v[i].bytes;
        else
            v[kept++] = v[i];
    }
    *ret = v;
    return kept;
}

uint32_t merge_plan_objects(struct merge_tenant *v, size_t n, uint64_t object_bytes)
{
    uint32_t n_objects = 0, shared = UINT32_MAX;
    uint64_t shared_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].bytes >= object_bytes / OWN_OBJECT_SHARE) {
            v[i].object = n_objects++;
            continue;
        }
        if (shared == UINT32_MAX || shared_bytes >= object_bytes) {
            shared = n_objects++;
            shared_bytes = 0;
        }
        v[i].object = shared;
        shared_bytes += v[i].bytes;
    }
    return n_objects;
}
