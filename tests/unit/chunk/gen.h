/* SPDX-License-Identifier: Apache-2.0 */
/* gen.h - random entries for the tests of this folder: repeatable from a seed. */
#pragma once
#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "model/entry.h"
#include "model/labels.h"

struct gen {
    uint64_t state;
    struct arena a;
};

static inline uint64_t gen_u64(struct gen *g)
{
    g->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = g->state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint32_t gen_below(struct gen *g, uint32_t n)
{
    return (uint32_t)(gen_u64(g) % n);
}

/* Any bytes at all. */
static inline struct str_view gen_bytes(struct gen *g, size_t len)
{
    char *p = arena_alloc(&g->a, len);
    for (size_t i = 0; i < len; i++)
        p[i] = (char)gen_u64(g);
    return sv(p, len);
}

/* What a log line may look like, the nasty ones among them. */
static inline struct str_view gen_line(struct gen *g)
{
    switch (gen_below(g, 12)) {
    case 0:
        return SV_EMPTY;
    case 1:
        return gen_bytes(g, gen_below(g, 60));
    case 2:
        return SV("two\nlines \\ in one \x1b[31mred\x1b[0m");
    case 3:
        return arena_printf(&g->a, "caf\xc3\xa9 %u", gen_below(g, 1000));
    default:
        return arena_printf(&g->a,
                            "level=info ts=%u caller=main.go:%u msg=\"request done\" id=%08x",
                            gen_below(g, 100000), gen_below(g, 90), (uint32_t)gen_u64(g));
    }
}

static inline struct str_view gen_labels(struct gen *g, const struct label *v, size_t n)
{
    struct buf b = BUF_INIT;
    labels_encode(&b, (struct labels){v, n});
    struct str_view copy = arena_copy(&g->a, buf_view(&b));
    buf_deinit(&b);
    return copy;
}

static inline struct str_view gen_sm(struct gen *g)
{
    static const char *const levels[] = {"info", "info", "info", "warn", "error", "weird"};
    struct label v[3];
    size_t n = 0;
    if (gen_below(g, 10))
        v[n++] = (struct label){SV("detected_level"), sv_of(levels[gen_below(g, 6)])};
    if (gen_below(g, 3) == 0)
        v[n++] = (struct label){SV("pod"), arena_printf(&g->a, "pod-%u", gen_below(g, 400))};
    if (gen_below(g, 2))
        v[n++] = (struct label){SV("trace_id"),
                                arena_printf(&g->a, "%016llx", (unsigned long long)gen_u64(g))};
    return n ? gen_labels(g, v, n) : SV_EMPTY;
}
