/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment_file.h"

#include <assert.h>

#include "base/bytes.h"
#include "store/object/object.h"

struct object_store *stores_of(const struct stores *s, enum segment_place place)
{
    return place == PLACE_LOCAL ? s->local : s->objects;
}

void stores_free(struct stores *s)
{
    object_store_free(TAKE(s->local));
    object_store_free(TAKE(s->objects));
}

/* ---- reading ---- */

static int pread_object(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    return object_pread(ctx, to, len, at, err);
}

int segment_file_open(struct segment_file *ret, const struct stores *stores,
                      enum segment_place place, struct str_view key, struct err *err)
{
    struct object_reader *reader = NULL;
    struct segment *segment = NULL;
    int r = object_open(stores_of(stores, place), key, &reader, err);
    if (r < 0)
        return r;
    struct segment_source source = {reader, object_bytes(reader), pread_object};
    r = segment_open(&segment, &source, err);
    if (r < 0) {
        object_close(reader);
        return r;
    }
    *ret = (struct segment_file){segment, reader};
    return 0;
}

static int verify_part(const struct segment *s, const struct segment_part *info,
                       struct buf *payload, struct buf *filter, struct err *err)
{
    struct part *p;
    int r = part_open(&p, s, info, err);
    if (r < 0)
        return r;
    struct part_source source = part_source_of(&s->source, p);
    for (uint32_t i = 0; r >= 0 && i < p->n_chunks; i++) {
        buf_clear(payload);
        buf_clear(filter);
        r = segment_read_chunk(&source, &p->chunks[i], payload, filter, err);
    }
    part_close(p);
    return r;
}

int segment_file_verify(const struct segment_file *f, struct err *err)
{
    CLEANUP(buf_deinit) struct buf payload = BUF_INIT, filter = BUF_INIT;
    int r = 0;
    for (uint32_t i = 0; r >= 0 && i < f->segment->n_parts; i++)
        r = verify_part(f->segment, &f->segment->parts[i], &payload, &filter, err);
    return r < 0 ? r : 0;
}

void segment_file_close(struct segment_file *f)
{
    segment_close(TAKE(f->segment));
    object_close(TAKE(f->reader));
}

/* ---- writing ---- */

void segment_file_trim_writer(struct segment_writer **w)
{
    enum { KEEP_BYTES = 8 << 20 };
    if (segment_writer_mem_bytes(*w) <= KEEP_BYTES)
        return;
    segment_writer_free(*w);
    *w = segment_writer_new();
}

static int write_object(void *ctx, struct str_view data, struct err *err)
{
    return object_write(ctx, data, err);
}

int segment_file_create(struct segment_draft *d, const struct stores *stores,
                        struct segment_writer *w, struct err *err)
{
    struct chunk_options options = {0};
    d->out = NULL;
    int r = object_create(stores_of(stores, d->place), d->key, &d->out, err);
    if (r < 0)
        return r;
    struct segment_sink sink = {d->out, write_object};
    r = segment_writer_open(w, &d->header, &options, sink, err);
    if (r < 0)
        segment_file_abort(d);
    return r;
}

int segment_file_commit(struct segment_draft *d, struct err *err)
{
    assert(d->out);
    return object_commit(TAKE(d->out), err);
}

void segment_file_abort(struct segment_draft *d)
{
    object_abort(TAKE(d->out));
}
