/* SPDX-License-Identifier: Apache-2.0 */
/* gen.c - writes push bodies for the benchmark: snappy protobuf, each behind a u32 length.
 * Half of the streams carry real sample lines whose long digit and hex runs are replaced by fresh
 * ones of the same shape, a quarter JSON access logs, a quarter logfmt.  One line holds the needle;
 * the trace id of one JSON line is printed. Same arguments, same bytes: the generator is seeded.
 * Threads: one. */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "samples.h"

enum { BODY_BYTES = 1 << 20, TRACE_ID_CHARS = 32 };
#define NEEDLE "needle-7f3a9c51d2e84b06"

static void pb_bytes(struct buf *out, unsigned field, struct str_view v)
{
    buf_put_varint(out, field << 3 | 2);
    buf_put_str(out, v);
}

static void put_entry(struct buf *out, int64_t ts_ns, struct str_view line)
{
    CLEANUP(buf_deinit) struct buf ts = BUF_INIT, entry = BUF_INIT;
    buf_put_u8(&ts, 1 << 3);
    buf_put_varint(&ts, (uint64_t)(ts_ns / 1000000000));
    buf_put_u8(&ts, 2 << 3);
    buf_put_varint(&ts, (uint64_t)(ts_ns % 1000000000));
    pb_bytes(&entry, 1, buf_view(&ts));
    pb_bytes(&entry, 2, line);
    pb_bytes(out, 2, buf_view(&entry));
}

static void stream_labels(struct buf *out, const struct sample *samples, size_t n_samples,
                          unsigned stream)
{
    unsigned kind = stream % 4;
    const char *app = kind == 0   ? "access"
                      : kind == 1 ? "worker"
                                  : samples[stream / 2 % n_samples].name;
    buf_printf(out, "{app=\"%s\", env=\"%s\", kind=\"%s\", pod=\"%s-%u\"}", app,
               stream % 3 ? "prod" : "dev",
               kind == 0   ? "json"
               : kind == 1 ? "logfmt"
                           : "text",
               app, stream);
}

/* A JSON line; when `keep`, the first one leaves its trace id, which ends the line. */
static void put_traced(struct buf *line, bool keep, char *trace_id)
{
    put_json(line);
    if (keep && !*trace_id)
        memcpy(trace_id, line->p + line->len - TRACE_ID_CHARS - strlen("\"}"), TRACE_ID_CHARS);
}

/* Twenty, or as many as it takes to come to every stream four times. */
static unsigned streams_per_body(unsigned n_streams, uint64_t raw_bytes)
{
    uint64_t n_bodies = raw_bytes / BODY_BYTES + 1, rounds = 4;
    uint64_t n = rounds * n_streams / n_bodies;
    n = n < 20 ? 20 : n;
    return n < n_streams ? (unsigned)n : n_streams;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: %s SAMPLES_FOLDER RAW_MIB STREAMS START_NS SPAN_SECONDS OUT\n",
                argv[0]);
        return 2;
    }
    static struct sample samples[MAX_SAMPLES];
    size_t n_samples = load_samples(argv[1], samples);
    uint64_t raw_bytes = strtoull(argv[2], NULL, 10) << 20;
    unsigned n_streams = (unsigned)strtoul(argv[3], NULL, 10);
    int64_t start_ns = strtoll(argv[4], NULL, 10),
            span_ns = strtoll(argv[5], NULL, 10) * 1000000000;
    FILE *out = fopen(argv[6], "wb");
    if (!n_samples || !n_streams || !out) {
        fprintf(stderr, "no samples, no streams or no output file\n");
        return 1;
    }
    CLEANUP(buf_deinit) struct buf body = BUF_INIT, stream = BUF_INIT, line = BUF_INIT;
    uint64_t written = 0, lines = 0, needle_at = raw_bytes / 3;
    unsigned next = 0, per_body = streams_per_body(n_streams, raw_bytes);
    size_t cursor[MAX_SAMPLES] = {0};
    char trace_id[TRACE_ID_CHARS + 1] = "";
    while (written < raw_bytes) {
        buf_clear(&body);
        for (unsigned i = 0; i < per_body; i++, next = (next + 1) % n_streams) {
            buf_clear(&stream);
            buf_clear(&line);
            stream_labels(&line, samples, n_samples, next);
            pb_bytes(&stream, 1, buf_view(&line));
            size_t share = BODY_BYTES / per_body, before = stream.len;
            while (stream.len - before < share) {
                buf_clear(&line);
                struct sample *s = &samples[next / 2 % n_samples];
                size_t *at = &cursor[next / 2 % n_samples];
                if (next % 4 == 0)
                    put_traced(&line, written > raw_bytes / 2, trace_id);
                else if (next % 4 == 1)
                    put_logfmt(&line);
                else
                    put_varied(&line, s->lines[(*at)++ % s->n_lines]);
                if (needle_at && written >= needle_at) {
                    buf_put(&line, SV(" " NEEDLE));
                    needle_at = 0;
                }
                written += line.len;
                lines++;
                int64_t at_ns =
                    start_ns + (int64_t)((double)written / (double)raw_bytes * (double)span_ns);
                put_entry(&stream, at_ns + (int64_t)(rnd() % 1000), buf_view(&line));
            }
            pb_bytes(&body, 1, buf_view(&stream));
        }
        size_t packed_len = snappy_max_compressed_length(body.len);
        char *packed = mem_alloc(packed_len);
        snappy_compress(body.p, body.len, packed, &packed_len);
        uint32_t le = (uint32_t)packed_len;
        fwrite(&le, 1, sizeof le, out);
        fwrite(packed, 1, packed_len, out);
        free(packed);
    }
    printf("{\"raw_bytes\": %llu, \"lines\": %llu, \"needle\": \"" NEEDLE "\", "
           "\"trace_id\": \"%s\"}\n",
           (unsigned long long)written, (unsigned long long)lines, trace_id);
    return fclose(out) ? 1 : 0;
}
