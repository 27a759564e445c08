/* SPDX-License-Identifier: Apache-2.0 */
/* gen.c - writes push bodies for the benchmark: snappy protobuf, each behind a u32 length.
 * Half of the streams carry real sample lines whose long digit and hex runs are replaced by fresh
 * ones of the same shape, a quarter JSON access logs, a quarter logfmt.  One line holds the needle.
 * Same arguments, same bytes: the generator is seeded.  Threads: one. */
#include <dirent.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

enum { MAX_SAMPLES = 64, BODY_BYTES = 1 << 20 };
#define NEEDLE "needle-7f3a9c51d2e84b06"

struct sample {
    char name[64];
    struct buf text;
    struct str_view *lines;
    size_t n_lines, cap_lines;
};

static uint64_t rng_state = 0x9e3779b97f4a7c15u;

static uint64_t rnd(void)
{
    uint64_t x = rng_state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static size_t load_samples(const char *folder, struct sample *samples)
{
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    size_t n_samples = 0;
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]->d_name);
        if (len > 4 && !strcmp(names[i]->d_name + len - 4, ".log") && n_samples < MAX_SAMPLES) {
            struct sample *s = &samples[n_samples++];
            *s = (struct sample){.text = BUF_INIT};
            snprintf(s->name, sizeof s->name, "%.*s",
                     (int)sv_find_byte(sv_of(names[i]->d_name), '_'), names[i]->d_name);
            CLEANUP(buf_deinit) struct buf path = BUF_INIT;
            buf_printf(&path, "%s/%s", folder, names[i]->d_name);
            FILE *f = fopen(path.p, "rb");
            char piece[65536];
            for (size_t got; f && (got = fread(piece, 1, sizeof piece, f)) > 0;)
                buf_put_bytes(&s->text, piece, got);
            if (f)
                fclose(f);
            for (struct str_view rest = buf_view(&s->text); rest.len;) {
                size_t end = sv_find_byte(rest, '\n');
                struct str_view line = sv_sub(rest, 0, end);
                if (line.len && line.p[line.len - 1] == '\r')
                    line.len--;
                s->lines = mem_grow(s->lines, &s->cap_lines, s->n_lines + 1, sizeof *s->lines);
                s->lines[s->n_lines++] = line;
                rest = sv_from(rest, end + 1);
            }
        }
        free(names[i]);
    }
    free(names);
    return n_samples;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Replaces the tail of each digit run of four and more, and each hex run of eight and more that
 * holds a digit; the first half of a run stays, as counters and prefixes do in real logs. */
static void put_varied(struct buf *out, struct str_view line)
{
    size_t base = out->len;
    buf_put(out, line);
    char *p = out->p + base;
    for (size_t i = 0; i < line.len;) {
        size_t end = i;
        bool digits_only = true, any_digit = false;
        for (; end < line.len && is_hex(p[end]); end++) {
            bool digit = p[end] >= '0' && p[end] <= '9';
            digits_only &= digit;
            any_digit |= digit;
        }
        size_t run = end - i;
        if (any_digit && (digits_only ? run >= 4 : run >= 8))
            for (size_t k = i + run / 2; k < end; k++)
                p[k] = digits_only ? (char)('0' + rnd() % 10) : "0123456789abcdef"[rnd() % 16];
        i = end + (end == i);
    }
}

static const char *const PATHS[] = {"/api/v1/orders", "/api/v1/users", "/login",  "/cart/items",
                                    "/health",        "/search",       "/assets", "/checkout"};
static const char *const METHODS[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
static const unsigned STATUSES[] = {200, 200, 200, 200, 201, 204, 301, 400, 404, 500, 503};
static const char *const LEVELS[] = {"info", "info", "info", "debug", "warn", "error"};

static void put_json(struct buf *out)
{
    buf_printf(out,
               "{\"level\":\"%s\",\"method\":\"%s\",\"path\":\"%s/%u\",\"status\":%u,"
               "\"bytes\":%u,\"took_ms\":%u.%02u,\"remote\":\"10.%u.%u.%u\","
               "\"trace_id\":\"%016llx%016llx\"}",
               LEVELS[rnd() % 6], METHODS[rnd() % 6], PATHS[rnd() % 8], (unsigned)(rnd() % 5000),
               STATUSES[rnd() % 11], (unsigned)(rnd() % 90000), (unsigned)(rnd() % 900),
               (unsigned)(rnd() % 100), (unsigned)(rnd() % 4), (unsigned)(rnd() % 256),
               (unsigned)(rnd() % 256), (unsigned long long)rnd(), (unsigned long long)rnd());
}

static void put_logfmt(struct buf *out)
{
    buf_printf(out,
               "level=%s caller=%s.go:%u msg=\"request handled\" method=%s path=%s status=%u "
               "duration=%u.%ums size=%ukB user=u%u request_id=%016llx",
               LEVELS[rnd() % 6], rnd() % 2 ? "http" : "middleware", (unsigned)(rnd() % 400),
               METHODS[rnd() % 6], PATHS[rnd() % 8], STATUSES[rnd() % 11], (unsigned)(rnd() % 2000),
               (unsigned)(rnd() % 10), (unsigned)(rnd() % 700), (unsigned)(rnd() % 10000),
               (unsigned long long)rnd());
}

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
    unsigned next = 0, per_body = n_streams < 20 ? n_streams : 20;
    size_t cursor[MAX_SAMPLES] = {0};
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
                    put_json(&line);
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
    printf("{\"raw_bytes\": %llu, \"lines\": %llu, \"needle\": \"" NEEDLE "\"}\n",
           (unsigned long long)written, (unsigned long long)lines);
    return fclose(out) ? 1 : 0;
}
