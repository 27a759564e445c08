/* SPDX-License-Identifier: Apache-2.0 */
/* Segments with known contents, written into a store. */
#pragma once
#include <assert.h>

#include "base/arena.h"
#include "chunk/segment.h"
#include "model/labels.h"
#include "store/catalog.h"
#include "store/object/object.h"

/* Tenant t of n_tenants has, in period p of n_periods, streams {app="a<i>", t="<t>"} with n_rows
 * lines "line <row> of ..." each, one a second from the period's start on. */
struct segment_spec {
    struct uuid uuid, installation;
    uint64_t generation;
    int64_t created_ns;
    uint8_t level;
    unsigned n_tenants, n_periods, n_streams, n_rows;
    int64_t first_period_ns, period_ns; /* 0: a day */
    uint32_t max_chunk_rows;
    struct lsn_range coverage; /* a zero source: of the installation */
    const struct uuid *replaced;
    size_t n_replaced;
};

static inline struct str_view spec_tenant(struct arena *a, unsigned t)
{
    return arena_printf(a, "tenant-%u", t);
}

static inline struct str_view spec_labels(struct arena *a, unsigned t, unsigned stream)
{
    struct label v[2] = {{SV("app"), arena_printf(a, "a%04u", stream)},
                         {SV("t"), arena_printf(a, "%u", t)}};
    struct buf b = BUF_INIT;
    labels_encode(&b, (struct labels){v, 2});
    struct str_view copy = arena_copy(a, buf_view(&b));
    buf_deinit(&b);
    return copy;
}

static inline int64_t spec_period_ns(const struct segment_spec *s)
{
    return s->period_ns ? s->period_ns : INT64_C(86400) * 1000000000;
}

static inline void spec_write_part(struct segment_writer *w, const struct segment_spec *s,
                                   unsigned t, unsigned p)
{
    struct arena a = ARENA_INIT;
    int64_t start_ns = s->first_period_ns + p * spec_period_ns(s);
    int r = segment_writer_part(w, spec_tenant(&a, t), start_ns, spec_period_ns(s), NULL);
    for (unsigned i = 0; r == 0 && i < s->n_streams; i++) {
        r = segment_writer_stream(w, spec_labels(&a, t, i), NULL);
        for (unsigned row = 0; r == 0 && row < s->n_rows; row++) {
            struct entry e = {.ts_ns = start_ns + row * INT64_C(1000000000),
                              .line = arena_printf(&a, "line %u of stream %u, tenant %u, id %08x",
                                                   row, i, t, (row * 2654435761u) ^ i)};
            r = segment_writer_add(w, &e, NULL);
        }
    }
    assert(r == 0);
    arena_deinit(&a);
}

/* The bytes of the file. */
static inline void spec_encode(const struct segment_spec *s, struct buf *out)
{
    struct segment_header h = {
        .generation = s->generation, .created_ns = s->created_ns, .level = s->level};
    memcpy(h.installation, s->installation.b, UUID_BYTES);
    memcpy(h.uuid, s->uuid.b, UUID_BYTES);
    struct chunk_options options = {.max_rows = s->max_chunk_rows, .filter = CHUNK_FILTER_ALWAYS};
    struct segment_writer *w = segment_writer_new();
    int r = segment_writer_open(w, &h, &options, segment_sink_of_buf(out), NULL);
    assert(r == 0);
    for (unsigned t = 0; t < s->n_tenants; t++)
        for (unsigned p = 0; p < s->n_periods; p++)
            spec_write_part(w, s, t, p);
    static const struct uuid none;
    struct segment_coverage c = {.first = s->coverage.first, .last = s->coverage.last};
    memcpy(c.source, uuid_eq(s->coverage.source, none) ? s->installation.b : s->coverage.source.b,
           UUID_BYTES);
    uint64_t bytes;
    uint8_t(*replaced)[UUID_BYTES] = mem_alloc(s->n_replaced * UUID_BYTES);
    for (size_t i = 0; i < s->n_replaced; i++)
        memcpy(replaced[i], s->replaced[i].b, UUID_BYTES);
    r = segment_writer_finish(w, &c, 1, (const uint8_t(*)[UUID_BYTES])replaced, s->n_replaced,
                              &bytes, NULL);
    free(replaced);
    assert(r == 0);
    segment_writer_free(w);
}

/* Writes it under segment_key(); *ret borrows a for its texts. */
static inline void spec_put(struct object_store *store, enum segment_place place,
                            const struct segment_spec *s, struct arena *a, struct segment_info *ret)
{
    struct buf bytes = BUF_INIT;
    spec_encode(s, &bytes);
    *ret = (struct segment_info){.uuid = s->uuid,
                                 .place = place,
                                 .level = s->level,
                                 .key = segment_key(a, s->uuid, s->first_period_ns),
                                 .bytes = bytes.len,
                                 .generation = s->generation,
                                 .created_ns = s->created_ns,
                                 .n_parts = s->n_tenants * s->n_periods};
    int r = object_put(store, ret->key, buf_view(&bytes), NULL);
    assert(r == 0);
    buf_deinit(&bytes);
}
