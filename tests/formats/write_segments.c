/* SPDX-License-Identifier: Apache-2.0 */
/* write_segments.c - writes segments and, from the entries they were made of, what a reader must
 * find there: NAME.seg and NAME.txt in the folder given.  Lines of NAME.txt, bytes as hex, "-" for
 * none:  H installation uuid generation created level;  P tenant start len;  S labels;
 * E time line metadata. */
#include <stdio.h>

#include "segment_gen.h"

static void put_hex(FILE *out, struct str_view v)
{
    if (v.len == 0)
        fputs(" -", out);
    else
        fputc(' ', out);
    for (size_t i = 0; i < v.len; i++)
        fprintf(out, "%02x", (uint8_t)v.p[i]);
}

static void put_expected(FILE *out, const struct sg_segment *s)
{
    fputs("H", out);
    put_hex(out, sv((const char *)s->header.installation, SEGMENT_UUID_BYTES));
    put_hex(out, sv((const char *)s->header.uuid, SEGMENT_UUID_BYTES));
    fprintf(out, " %llu %lld %u\n", (unsigned long long)s->header.generation,
            (long long)s->header.created_ns, s->header.level);
    for (uint32_t i = 0; i < s->n_parts; i++) {
        const struct sg_part *p = &s->parts[i];
        fputs("P", out);
        put_hex(out, p->tenant);
        fprintf(out, " %lld %lld\n", (long long)p->start_ns, (long long)p->len_ns);
        for (uint32_t k = 0; k < p->n_streams; k++) {
            fputs("S", out);
            put_hex(out, p->streams[k].labels);
            fputc('\n', out);
            for (uint32_t row = 0; row < p->streams[k].n; row++) {
                const struct entry *e = &p->streams[k].v[row];
                fprintf(out, "E %lld", (long long)e->ts_ns);
                put_hex(out, e->line);
                put_hex(out, e->sm);
                fputc('\n', out);
            }
        }
    }
}

static FILE *create(const char *folder, const char *name, const char *ending)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s.%s", folder, name, ending);
    FILE *f = fopen(path.p, "wb");
    if (!f) {
        perror(path.p);
        exit(1);
    }
    return f;
}

static void write_one(const char *folder, const char *name, const struct sg_segment *s)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT;
    struct segment_writer *w = segment_writer_new();
    struct err err = ERR_INIT;
    uint64_t bytes;
    if (sg_write(w, s, segment_sink_of_buf(&file), &bytes, &err) < 0) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        exit(1);
    }
    segment_writer_free(w);
    FILE *out = create(folder, name, "seg");
    fwrite(file.p, 1, file.len, out);
    bool failed = fclose(out) != 0;
    out = create(folder, name, "txt");
    put_expected(out, s);
    if (fclose(out) || failed)
        exit(1);
}

/* --- segments of one stream that reach what random ones may not ------------------------- */

static struct sg_segment one_stream(struct gen *g, uint32_t rows)
{
    struct sg_segment s = {.n_parts = 1, .options = {.filter = CHUNK_FILTER_ALWAYS}};
    s.parts = arena_zalloc(&g->a, 1, sizeof *s.parts);
    s.parts[0] = (struct sg_part){.tenant = SV("t"), .n_streams = 1};
    s.parts[0].streams = arena_zalloc(&g->a, 1, sizeof *s.parts[0].streams);
    s.parts[0].streams[0] = (struct sg_stream){.labels = sg_labels(g, 1), .n = rows};
    s.parts[0].streams[0].v = arena_zalloc(&g->a, rows, sizeof(struct entry));
    for (uint32_t i = 0; i < rows; i++)
        s.parts[0].streams[0].v[i] = (struct entry){i, SV("line"), SV_EMPTY};
    return s;
}

static struct entry *rows_of(struct sg_segment *s)
{
    return s->parts[0].streams[0].v;
}

static void write_times(const char *folder, struct gen *g)
{
    static const int64_t units[] = {1000, 1000000, 1000000000};
    static const char *const names[] = {"microseconds", "milliseconds", "seconds"};
    for (int u = 0; u < 3; u++) {
        struct sg_segment s = one_stream(g, 1000);
        for (int i = 0; i < 1000; i++)
            rows_of(&s)[i].ts_ns = ((int64_t)gen_below(g, 100000) - 50000) * units[u];
        write_one(folder, names[u], &s);
    }
    struct sg_segment s = one_stream(g, 400);
    for (int i = 0; i < 400; i++)
        rows_of(&s)[i].ts_ns = (int64_t)(gen_u64(g) & gen_u64(g));
    rows_of(&s)[7].ts_ns = INT64_MIN;
    rows_of(&s)[8].ts_ns = INT64_MAX;
    rows_of(&s)[300].ts_ns = INT64_MIN;
    write_one(folder, "any-times", &s);
}

static void write_metadata(const char *folder, struct gen *g)
{
    static const uint32_t counts[] = {1, 2, 3, 5, 17, 256, 257};
    struct sg_segment s = one_stream(g, 3000);
    for (uint32_t i = 0; i < 3000; i++) {
        struct label v[10] = {{SV("a-steps"), arena_printf(&g->a, "%u", i / 400)}};
        size_t n = 1;
        for (uint32_t k = 0; k < 7; k++)
            v[n++] = (struct label){arena_printf(&g->a, "of-%03u", counts[k]),
                                    arena_printf(&g->a, "value %u", gen_below(g, counts[k]))};
        if (i % 5 == 0)
            v[n++] = (struct label){SV("some-plain"), gen_bytes(g, 1 + gen_below(g, 30))};
        if (i % 7 == 0)
            v[n++] = (struct label){SV("some-same"), SV("same")};
        rows_of(&s)[i].sm = gen_labels(g, v, n);
    }
    rows_of(&s)[15].sm = SV_EMPTY;
    write_one(folder, "metadata-kinds", &s);
    s = one_stream(g, 5);
    rows_of(&s)[0].sm = SV("\1\1k\1v");
    rows_of(&s)[1].sm = SV("not a label set");
    rows_of(&s)[3].sm = gen_bytes(g, 70000);
    write_one(folder, "metadata-opaque", &s);
}

static void write_lines(const char *folder, struct gen *g)
{
    struct sg_segment s = one_stream(g, 40);
    for (uint32_t i = 0; i < 40; i++)
        rows_of(&s)[i].line = gen_bytes(g, 1 + gen_below(g, 2000));
    rows_of(&s)[3].line = gen_bytes(g, 70000);
    write_one(folder, "random-lines", &s);
    s = one_stream(g, 3);
    for (uint32_t i = 0; i < 3; i++)
        rows_of(&s)[i].line = SV_EMPTY;
    write_one(folder, "empty-lines", &s);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    struct gen g = {.state = 2026};
    for (int i = 0; i < 6; i++) {
        struct sg_segment s = sg_segment(&g);
        CLEANUP(buf_deinit) struct buf name = BUF_INIT;
        buf_printf(&name, "random-%d", i);
        write_one(argv[1], name.p, &s);
    }
    struct sg_segment empty = {0};
    write_one(argv[1], "empty", &empty);
    write_times(argv[1], &g);
    write_metadata(argv[1], &g);
    write_lines(argv[1], &g);
    arena_deinit(&g.a);
    return 0;
}
