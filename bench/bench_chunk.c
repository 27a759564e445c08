/* SPDX-License-Identifier: Apache-2.0 */
/* bench_chunk.c - what chunks cost: encoding stage by stage, decoding column by column, scanning,
 * filter probes, and the head.  CPU time of one thread; MB/s of raw line bytes; best of rounds.
 * Half sample lines (varied), a quarter JSON, a quarter logfmt, nanosecond times, detected_level as
 * metadata: the data of bench_gen without the push bodies. */
#include <stdio.h>
#include <time.h>
#include <zstd.h>

#include "chunk/chunk.h"
#include "chunk/filter.h"
#include "chunk/head_order.h"
#include "chunk/head_pages.h"
#include "chunk/len.h"
#include "chunk/scan.h"
#include "chunk/segment.h"
#include "chunk/text_flags.h"
#include "chunk/ts.h"
#include "chunk/zframe.h"
#include "model/labels.h"
#include "samples.h"

enum { RAW_BYTES = 48 << 20, STREAMS = 64, ROUNDS = 3 };

struct chunk_copy {
    struct chunk_meta meta;
    struct buf payload, filter;
    size_t first_entry;
};

static struct buf text; /* of all lines */
static struct entry *entries;
static size_t n_entries, cap_entries;
static struct chunk_copy *chunks;
static size_t n_chunks, cap_chunks;
static uint64_t raw_bytes;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void show(const char *what, double seconds, uint64_t bytes)
{
    printf("  %-34s %8.0f MB/s %7.3f s/GiB\n", what, (double)bytes / seconds / 1e6,
           seconds / (double)bytes * (1 << 30));
}

/* --- data -------------------------------------------------------------------------------- */

static void make_entries(const char *folder)
{
    static struct sample samples[MAX_SAMPLES];
    static const char *const levels[] = {"\1\016detected_level\4info",
                                         "\1\016detected_level\5error",
                                         "\1\016detected_level\7unknown"};
    size_t n_samples = load_samples(folder, samples), cursor[MAX_SAMPLES] = {0};
    if (n_samples == 0) {
        fprintf(stderr, "no *.log files in %s\n", folder);
        exit(1);
    }
    buf_reserve(&text, RAW_BYTES + (1 << 20));
    for (unsigned stream = 0; stream < STREAMS; stream++) {
        int64_t ts_ns = INT64_C(1700000000000000000) + (int64_t)(rnd() % 1000000000);
        size_t end = (size_t)RAW_BYTES / STREAMS * (stream + 1);
        while (text.len < end) {
            struct sample *s = &samples[stream / 2 % n_samples];
            size_t at = text.len;
            if (stream % 4 == 0)
                put_json(&text);
            else if (stream % 4 == 1)
                put_logfmt(&text);
            else
                put_varied(&text, s->lines[cursor[stream / 2 % n_samples]++ % s->n_lines]);
            ts_ns += (int64_t)(rnd() % 20000000);
            entries = mem_grow(entries, &cap_entries, n_entries + 1, sizeof *entries);
            entries[n_entries++] = (struct entry){ts_ns, sv(text.p + at, text.len - at),
                                                  sv_of(levels[rnd() % 10 ? 0 : 1 + rnd() % 2])};
        }
    }
    raw_bytes = text.len;
}

static void keep(const struct chunk_encoded *e, size_t first_entry)
{
    chunks = mem_grow(chunks, &cap_chunks, n_chunks + 1, sizeof *chunks);
    struct chunk_copy *c = &chunks[n_chunks++];
    *c = (struct chunk_copy){.meta = e->meta, .first_entry = first_entry};
    buf_put(&c->payload, e->payload);
    buf_put(&c->filter, e->filter);
}

static void encode_all(bool keep_them, double *ret_add_s, double *ret_finish_s)
{
    struct chunk_builder *b = chunk_builder_new(NULL);
    struct chunk_encoded e;
    size_t first = 0;
    double add_s = 0, finish_s = 0, at = cpu_s();
    for (size_t i = 0; i <= n_entries; i++) {
        if (i == n_entries || chunk_builder_is_full(b, &entries[i])) {
            double before = cpu_s();
            add_s += before - at;
            chunk_builder_finish(b, &e);
            finish_s += cpu_s() - before;
            if (keep_them)
                keep(&e, first);
            first = i;
            at = cpu_s();
        }
        if (i < n_entries)
            chunk_builder_add(b, &entries[i]);
    }
    chunk_builder_free(b);
    *ret_add_s = add_s < *ret_add_s ? add_s : *ret_add_s;
    *ret_finish_s = finish_s < *ret_finish_s ? finish_s : *ret_finish_s;
}

static void show_sizes(void)
{
    static const char *const names[] = {"metadata header", "metadata", "times", "lengths", "lines"};
    uint64_t sum[CHUNK_N_SECTIONS] = {0}, filter = 0, all = 0, with_filter = 0;
    for (size_t i = 0; i < n_chunks; i++) {
        for (int s = 0; s < CHUNK_N_SECTIONS; s++)
            sum[s] += chunks[i].meta.section_bytes[s];
        filter += chunks[i].filter.len;
        with_filter += chunks[i].filter.len > 0;
    }
    printf("stored bytes per raw byte (%zu chunks, %llu with a filter, %zu rows)\n", n_chunks,
           (unsigned long long)with_filter, n_entries);
    for (int s = 0; s < CHUNK_N_SECTIONS; s++) {
        printf("  %-34s %.4f\n", names[s], (double)sum[s] / (double)raw_bytes);
        all += sum[s];
    }
    printf("  %-34s %.4f\n", "filters", (double)filter / (double)raw_bytes);
    printf("  %-34s %.4f\n", "all", (double)(all + filter) / (double)raw_bytes);
}

static void make_chunks(void)
{
    double add_s = 1e9, finish_s = 1e9;
    for (int round = 0; round < ROUNDS; round++)
        encode_all(round == 0, &add_s, &finish_s);
    show_sizes();
    printf("encode\n");
    show("chunk_builder_add", add_s, raw_bytes);
    show("chunk_builder_finish", finish_s, raw_bytes);
    show("both", add_s + finish_s, raw_bytes);
}

/* --- one stage after the other ----------------------------------------------------------- */

struct stage_data { /* of the chunk in work */
    struct str_view blob;
    const struct entry *v;
    uint32_t rows;
    const int64_t *ts_ns;
    const uint32_t *lens;
    struct buf *out;
    struct chunk_copy *c;
    struct chunk_decoder *d;
};
struct tools {
    ZSTD_CCtx *cctx;
    struct filter_builder filter;
    struct buf scratch;
} tools;
typedef void stage_fn(struct stage_data *s);

static void stage_zstd(struct stage_data *s)
{
    zframe_put_if_smaller(tools.cctx, 1, s->blob, s->out);
}

static void stage_filter(struct stage_data *s)
{
    filter_build(&tools.filter, s->blob, s->out);
}

static void stage_ts(struct stage_data *s)
{
    enum ts_unit unit;
    ts_encode(s->out, s->ts_ns, s->rows, &unit);
}

static void stage_len(struct stage_data *s)
{
    len_encode(s->out, s->lens, s->rows, tools.cctx, 1, &tools.scratch);
}

static void stage_flags(struct stage_data *s)
{
    s->out->len = text_flags(s->blob, s->rows) & 1;
}

static int pread_buf(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    const struct buf *b = ctx;
    if (at > b->len || len > b->len - at)
        return err_set(err, ERR_CORRUPT, "outside");
    memcpy(to, b->p + at, len);
    return 0;
}

static void turn_to(struct stage_data *s)
{
    struct chunk_source source = {&s->c->payload, pread_buf};
    chunk_decoder_set(s->d, &source, &s->c->meta);
}

static void stage_decode_lines(struct stage_data *s)
{
    struct chunk_lines lines;
    turn_to(s);
    if (chunk_decoder_lines(s->d, &lines, NULL) < 0)
        abort();
}

static void stage_decode_ts(struct stage_data *s)
{
    const int64_t *ts_ns;
    turn_to(s);
    if (chunk_decoder_ts(s->d, &ts_ns, NULL) < 0)
        abort();
}

static void stage_decode_starts(struct stage_data *s)
{
    const uint32_t *start;
    turn_to(s);
    if (chunk_decoder_starts(s->d, &start, NULL) < 0)
        abort();
}

static void stage_decode_level(struct stage_data *s)
{
    struct sm_column c;
    turn_to(s);
    if (chunk_decoder_sm_column(s->d, SV("detected_level"), &c, NULL) < 0)
        abort();
}

static void stage_decode_entries(struct stage_data *s)
{
    const struct entry *v;
    turn_to(s);
    if (chunk_decoder_entries(s->d, &v, NULL) < 0)
        abort();
}

static void measure(const char *what, stage_fn *fn)
{
    double best = 1e9;
    CLEANUP(buf_deinit) struct buf blob = BUF_INIT, ts = BUF_INIT, lens = BUF_INIT, out = BUF_INIT;
    struct chunk_decoder *d = chunk_decoder_new();
    for (int round = 0; round < ROUNDS; round++) {
        double sum = 0;
        for (size_t i = 0; i < n_chunks; i++) {
            struct chunk_copy *c = &chunks[i];
            struct stage_data s = {.c = c, .d = d, .out = &out, .rows = c->meta.rows};
            buf_clear(&blob);
            buf_clear(&ts);
            buf_clear(&lens);
            buf_clear(&out);
            s.v = &entries[c->first_entry];
            for (uint32_t row = 0; row < s.rows; row++) {
                buf_put(&blob, s.v[row].line);
                buf_put_u8(&blob, '\n');
                buf_put_le64(&ts, (uint64_t)s.v[row].ts_ns);
                buf_put_le32(&lens, (uint32_t)s.v[row].line.len);
            }
            s.blob = buf_view(&blob);
            s.ts_ns = (const int64_t *)(const void *)ts.p;
            s.lens = (const uint32_t *)(const void *)lens.p;
            double at = cpu_s();
            fn(&s);
            sum += cpu_s() - at;
        }
        best = sum < best ? sum : best;
    }
    show(what, best, raw_bytes);
    chunk_decoder_free(d);
}

/* --- scan -------------------------------------------------------------------------------- */

static uint64_t hits;

static void measure_scan(const char *what, const char *needle, enum substr_case how, bool regex)
{
    double best = 1e9;
    struct chunk_decoder *d = chunk_decoder_new();
    struct regex_scratch *scratch = regex_scratch_new();
    struct substr_needle n;
    struct regex *re = NULL;
    struct row_set rows = ROW_SET_INIT;
    substr_init(&n, sv_of(needle), how);
    if (regex && regex_compile(&re, sv_of(needle), REGEX_SEARCH, NULL) < 0)
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        double sum = 0;
        hits = 0;
        for (size_t i = 0; i < n_chunks; i++) {
            struct stage_data s = {.c = &chunks[i], .d = d};
            struct chunk_lines lines;
            turn_to(&s);
            if (chunk_decoder_lines(d, &lines, NULL) < 0)
                abort();
            double at = cpu_s();
            row_set_reset(&rows, lines.rows);
            row_set_add_range(&rows, 0, lines.rows);
            if (regex)
                scan_regex(&lines, false, re, scratch, SCAN_KEEP_MATCHING, &rows);
            else
                scan_contains(&lines, &n, 1, SCAN_KEEP_MATCHING, &rows);
            hits += row_set_count(&rows);
            sum += cpu_s() - at;
        }
        best = sum < best ? sum : best;
    }
    char label[80];
    snprintf(label, sizeof label, "%s (%llu hits)", what, (unsigned long long)hits);
    show(label, best, raw_bytes);
    row_set_deinit(&rows);
    substr_deinit(&n);
    regex_unref(re);
    regex_scratch_free(scratch);
    chunk_decoder_free(d);
}

static void measure_probe(const char *what, const char *text_of_needle)
{
    struct filter_needle n;
    uint64_t may = 0, with = 0;
    filter_needle_init(&n, sv_of(text_of_needle), false);
    double at = cpu_s();
    for (int k = 0; k < 100; k++) {
        may = with = 0;
        for (size_t i = 0; i < n_chunks; i++) {
            if (chunks[i].meta.filter_bits == 0)
                continue;
            with++;
            may += filter_may_contain(buf_view(&chunks[i].filter), chunks[i].meta.filter_bits,
                                      chunks[i].meta.flags & CHUNK_ASCII, &n);
        }
    }
    double s = (cpu_s() - at) / 100;
    printf("  %-34s %8.1f ns a chunk, %llu of %llu pass\n", what, s / (double)n_chunks * 1e9,
           (unsigned long long)may, (unsigned long long)with);
    filter_needle_deinit(&n);
}

/* --- head -------------------------------------------------------------------------------- */

static struct head *fill_head(struct head_pages *pages, unsigned n_streams)
{
    struct head *h = head_new_in(pages);
    for (size_t i = 0; i < n_entries; i++)
        head_append(h, (uint32_t)((i * UINT64_C(2654435761)) % n_streams), &entries[i]);
    return h;
}

static uint64_t walk(const struct head *h, unsigned n_streams)
{
    uint64_t seen = 0;
    struct head_iter it;
    struct entry e;
    for (uint32_t s = 0; s < n_streams; s++)
        for (head_iter_init(&it, h, s, UINT64_MAX); head_iter_next(&it, &e, NULL); seen++)
            hits += (uint8_t)e.line.p[e.line.len - 1];
    return seen;
}

static uint64_t walk_in_order(const struct head *h, unsigned n_streams)
{
    uint64_t seen = 0;
    struct head_order o;
    struct entry *v = mem_alloc(n_entries * sizeof *v);
    head_order_init(&o, h);
    for (uint32_t s = 0; s < n_streams; s++) {
        size_t n = head_order_count(&o, s);
        head_order_get(&o, s, v);
        for (size_t i = 0; i < n; i++, seen++)
            hits += (uint8_t)v[i].line.p[v[i].line.len - 1];
    }
    head_order_deinit(&o);
    free(v);
    return seen;
}

/* Neighbours in time are of different streams: the worst order there is. */
static void measure_head(unsigned n_streams)
{
    struct head_pages *pages = head_pages_new(NULL, UINT64_MAX);
    double best[3] = {1e9, 1e9, 1e9}, at;
    struct head *h = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        head_free(h);
        at = cpu_s();
        h = fill_head(pages, n_streams);
        double took[3] = {cpu_s() - at};
        at = cpu_s();
        uint64_t seen = walk(h, n_streams);
        took[1] = cpu_s() - at;
        at = cpu_s();
        if (seen != n_entries || walk_in_order(h, n_streams) != n_entries)
            abort();
        took[2] = cpu_s() - at;
        for (int k = 0; k < 3; k++)
            best[k] = took[k] < best[k] ? took[k] : best[k];
    }
    printf("head of %u streams, %zu entries\n", n_streams, n_entries);
    show("append, used pages", best[0], raw_bytes);
    show("walk of back-pointers", best[1], raw_bytes);
    show("walk by head_order", best[2], raw_bytes);
    printf("  %-34s %8.1f ns\n", "an append", best[0] / (double)n_entries * 1e9);
    printf("  %-34s %8.3f\n", "memory per line byte",
           (double)head_mem_bytes(h) / (double)raw_bytes);
    head_free(h);
    head_pages_unref(pages);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s SAMPLES_FOLDER\n", argv[0]);
        return 2;
    }
    tools.cctx = ZSTD_createCCtx();
    filter_builder_init(&tools.filter);
    make_entries(argv[1]);
    make_chunks();
    measure("zstd of the lines", stage_zstd);
    measure("filter", stage_filter);
    measure("times", stage_ts);
    measure("lengths", stage_len);
    measure("flags", stage_flags);
    printf("decode, checksums included\n");
    measure("lines", stage_decode_lines);
    measure("times", stage_decode_ts);
    measure("row starts", stage_decode_starts);
    measure("one metadata column", stage_decode_level);
    measure("entries, everything", stage_decode_entries);
    printf("scan of decoded lines\n");
    measure_scan("rare string", "needle-7f3a9c51d2e84b06", SUBSTR_EXACT, false);
    measure_scan("error", "error", SUBSTR_EXACT, false);
    measure_scan("error, any case", "error", SUBSTR_FOLD, false);
    measure_scan("a frequent string", "INFO", SUBSTR_EXACT, false);
    measure_scan("in every line", "e", SUBSTR_EXACT, false);
    measure_scan("regex (?i)(warn|fatal).*connection", "(?i)(warn|fatal).*connection", SUBSTR_EXACT,
                 true);
    measure_scan("regex status\":5[0-9][0-9]", "status\":5[0-9][0-9]", SUBSTR_EXACT, true);
    printf("filter probe\n");
    measure_probe("needle of 23 bytes", "needle-7f3a9c51d2e84b06");
    measure_probe("an absent word", "zookeeperless");
    measure_head(64);
    measure_head(100000);
    filter_builder_deinit(&tools.filter);
    ZSTD_freeCCtx(tools.cctx);
    return 0;
}
