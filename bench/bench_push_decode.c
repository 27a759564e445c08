/* SPDX-License-Identifier: Apache-2.0 */
/* bench_push_decode.c - what it costs to read a push: the two readers with and without the snappy
 * layer, with nothing added and with Loki's defaults; then detected_level by kind of line.
 * CPU time of one thread, best of rounds; MB/s of the body's bytes as decoded. */
#include <snappy-c.h>
#include <stdio.h>
#include <time.h>

#include "samples.h"
#include "wire/answer.h"
#include "wire/level.h"
#include "wire/push.h"

enum { STREAMS = 100, LINES_PER_STREAM = 100, ROUNDS = 5, REPEATS = 5 };
static const double max_level_ns = 100;

static struct sample samples[MAX_SAMPLES];
static size_t n_samples;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- bodies ------------------------------------------------------------------------------- */

static void pb_bytes(struct buf *out, unsigned number, struct str_view v)
{
    buf_put_varint(out, number << 3 | 2);
    buf_put_str(out, v);
}

static void pb_uint(struct buf *out, unsigned number, uint64_t v)
{
    buf_put_varint(out, number << 3);
    buf_put_varint(out, v);
}

static struct str_view nth_line(size_t i)
{
    const struct sample *s = &samples[i / LINES_PER_STREAM % n_samples];
    return s->lines[i * 7 % s->n_lines];
}

static bool has_metadata(size_t i)
{
    return i % 4 == 0;
}

static void put_proto(struct buf *out)
{
    for (size_t s = 0; s < STREAMS; s++) {
        CLEANUP(buf_deinit) struct buf stream = BUF_INIT, labels = BUF_INIT;
        buf_printf(&labels, "{app=\"app-%zu\", env=\"prod\", pod=\"app-%zu-7f3a\"}", s, s);
        pb_bytes(&stream, 1, buf_view(&labels));
        for (size_t i = s * LINES_PER_STREAM; i < (s + 1) * LINES_PER_STREAM; i++) {
            CLEANUP(buf_deinit) struct buf entry = BUF_INIT, ts = BUF_INIT, pair = BUF_INIT;
            pb_uint(&ts, 1, 1772359200 + i);
            pb_uint(&ts, 2, i * 99991 % 1000000000);
            pb_bytes(&entry, 1, buf_view(&ts));
            pb_bytes(&entry, 2, nth_line(i));
            if (has_metadata(i)) {
                pb_bytes(&pair, 1, SV("trace_id"));
                pb_bytes(&pair, 2, SV("7f3a9c51d2e84b06"));
                pb_bytes(&entry, 3, buf_view(&pair));
            }
            pb_bytes(&stream, 2, buf_view(&entry));
        }
        pb_bytes(out, 1, buf_view(&stream));
    }
}

static void put_json_body(struct buf *out)
{
    buf_put(out, SV("{\"streams\":["));
    for (size_t s = 0; s < STREAMS; s++) {
        buf_printf(out,
                   "%s{\"stream\":{\"app\":\"app-%zu\",\"env\":\"prod\",\"pod\":\"app-%zu-7f3a\"},"
                   "\"values\":[",
                   s ? "," : "", s, s);
        for (size_t i = s * LINES_PER_STREAM; i < (s + 1) * LINES_PER_STREAM; i++) {
            buf_printf(out, "%s[\"%llu%09llu\",", i % LINES_PER_STREAM ? "," : "",
                       1772359200ull + i, i * 99991ull % 1000000000);
            json_put_string(out, nth_line(i));
            buf_put(out, has_metadata(i) ? SV(",{\"trace_id\":\"7f3a9c51d2e84b06\"}]") : SV("]"));
        }
        buf_put(out, SV("]}"));
    }
    buf_put(out, SV("]}"));
}

static void pack(struct str_view in, struct buf *out)
{
    size_t len = snappy_max_compressed_length(in.len);
    snappy_compress(in.p, in.len, buf_add(out, len), &len);
    out->len = len;
}

/* --- decoding ----------------------------------------------------------------------------- */

static void decode(const char *what, uint8_t format, struct str_view bytes,
                   const struct push_policy *policy)
{
    double best = 1e9;
    uint64_t decoded = 0;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = cpu_s();
        for (int i = 0; i < REPEATS; i++) {
            struct push_body body = {.bytes = bytes, .format = format};
            struct push_stream *streams;
            size_t n;
            struct err err = ERR_INIT;
            arena_clear(&a);
            if (push_decode(&body, policy, 1u << 30, NULL, &a, &streams, &n, &err) < 0) {
                fprintf(stderr, "%s: %s\n", what, err.text);
                exit(1);
            }
            decoded = body.decoded_bytes;
        }
        double s = (cpu_s() - begun) / REPEATS;
        best = s < best ? s : best;
    }
    printf("  %-40s %8.0f MB/s %7.1f ns/entry\n", what, (double)decoded / best / 1e6,
           best * 1e9 / (STREAMS * LINES_PER_STREAM));
}

static void bench_bodies(const struct push_policy *bare, const struct push_policy *defaults)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT, proto = BUF_INIT, packed = BUF_INIT;
    put_json_body(&json);
    put_proto(&proto);
    pack(buf_view(&proto), &packed);
    /* Literals alone: the reader without the cost of the layer, but for one copy. */
    CLEANUP(buf_deinit) struct buf stored = BUF_INIT;
    buf_put_varint(&stored, proto.len);
    buf_put_u8(&stored, 0xfc);
    buf_put_le32(&stored, (uint32_t)proto.len - 1);
    buf_put(&stored, buf_view(&proto));
    printf("%d entries: JSON %zu bytes, protobuf %zu, packed %zu\n", STREAMS * LINES_PER_STREAM,
           json.len, proto.len, packed.len);
    decode("JSON", PUSH_JSON_V1, buf_view(&json), bare);
    decode("JSON, defaults", PUSH_JSON_V1, buf_view(&json), defaults);
    decode("protobuf, stored", PUSH_PROTOBUF, buf_view(&stored), bare);
    decode("protobuf, snappy", PUSH_PROTOBUF, buf_view(&packed), bare);
    decode("protobuf, snappy, defaults", PUSH_PROTOBUF, buf_view(&packed), defaults);
}

/* --- levels ------------------------------------------------------------------------------- */

struct lines {
    struct str_view *v;
    size_t n;
};

static double level_ns(const struct push_policy *p, struct lines lines)
{
    double best = 1e9;
    unsigned sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = cpu_s();
        for (int i = 0; i < REPEATS; i++)
            for (size_t k = 0; k < lines.n; k++)
                sum += level_of_line(p->level_names, p->log_level_json_depth, lines.v[k]);
        double s = (cpu_s() - begun) / REPEATS;
        best = s < best ? s : best;
    }
    if (sum == 0)
        printf("no level at all\n");
    return best * 1e9 / (double)lines.n;
}

static struct lines made_lines(struct arena *a, void (*put)(struct buf *out))
{
    struct lines lines = {ARENA_ARRAY(a, struct str_view, 2000), 2000};
    CLEANUP(buf_deinit) struct buf line = BUF_INIT;
    for (size_t i = 0; i < lines.n; i++) {
        buf_clear(&line);
        put(&line);
        lines.v[i] = arena_copy(a, buf_view(&line));
    }
    return lines;
}

static void show_level(const char *name, double ns, struct lines lines)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < lines.n; i++)
        bytes += lines.v[i].len;
    printf("  %-24s %7.1f ns/line %6llu bytes/line\n", name, ns,
           (unsigned long long)(bytes / lines.n));
}

static bool bench_levels(const struct push_policy *p, struct arena *a)
{
    double sum = 0;
    printf("detected_level\n");
    for (size_t i = 0; i < n_samples; i++) {
        struct lines lines = {samples[i].lines, samples[i].n_lines};
        double ns = level_ns(p, lines);
        sum += ns;
        show_level(samples[i].name, ns, lines);
    }
    struct lines json = made_lines(a, put_json), logfmt = made_lines(a, put_logfmt);
    show_level("access logs, JSON", level_ns(p, json), json);
    show_level("service logs, logfmt", level_ns(p, logfmt), logfmt);
    printf("  %-24s %7.1f ns/line, %.0f wanted\n", "real logs, average", sum / (double)n_samples,
           max_level_ns);
    return sum / (double)n_samples <= max_level_ns;
}

int main(int argc, char **argv)
{
    if (argc != 2 || !(n_samples = load_samples(argv[1], samples))) {
        fprintf(stderr, "usage: %s SAMPLES_FOLDER\n", argv[0]);
        return 2;
    }
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct limits limits;
    struct push_policy bare = {.allow_structured_metadata = true}, defaults;
    limits_set_defaults(&limits, &a);
    push_policy_of_limits(&limits, &a, &defaults);
    bench_bodies(&bare, &defaults);
    return bench_levels(&defaults, &a) ? 0 : 1;
}
