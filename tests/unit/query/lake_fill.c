/* SPDX-License-Identifier: Apache-2.0 */
#include "lake_fill.h"

#include <stdio.h>

#include "base/clock.h"

/* ---- random ---- */

static uint64_t state;

void random_start(uint64_t seed)
{
    state = seed ? seed : 1;
}

uint32_t random_below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 20) % n);
}

bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* ---- data ---- */

static const char *const stream_texts[] = {
    "{app=\"web\",env=\"prod\"}",  "{app=\"web\",env=\"dev\"}",
    "{app=\"db\",env=\"prod\"}",   "{app=\"db\",env=\"dev\",level=\"x\"}",
    "{app=\"cron\",host=\"h1\"}",  "{app=\"cron\",host=\"h2\",detected_level=\"info\"}",
    "{app=\"web\",env=\"stage\"}", "{other=\"yes\",app=\"odd\"}",
};
enum { N_STREAM_TEXTS = sizeof stream_texts / sizeof stream_texts[0] };

/* Words that stand in some chunks only, and there in one way only, so that filters have something
 * to say and something to be wrong about. */
static const char *const phases[] = {"xylophone", "kilogram", "quagmire", "zeppelin"};
enum { PHASE_PLAIN, PHASE_ESCAPED, PHASE_METADATA, PHASE_NOWHERE, N_PHASE_PLACES };
enum { N_PHASES = 4 * N_PHASE_PLACES };
static const char *phase; /* of the entries that are made now */
static unsigned phase_place;
/* Of a whole lake: lines may have backslashes, metadata may have a level. */
static bool has_backslashes, has_level_metadata;

static void turn_phase(unsigned i, unsigned n)
{
    unsigned number = i * N_PHASES / n;
    phase = phases[number % 4];
    phase_place = number / 4;
}

static void random_line(struct buf *out)
{
    static const char *const words[] = {
        "error",         "timeout",   "connection", "refused",      "GET",
        "/api/v1/users", "Exception", "ok",         "\xc3\xa4rger", ""};
    static const char *const levels[] = {"info", "warn", "error", "debug"};
    const char *level = levels[random_below(4)];
    unsigned status = 200 + 100 * random_below(4), n = random_below(1000);
    switch (phase_place < PHASE_METADATA && one_in(8) ? 8 : random_below(8)) {
    case 8:
        if (phase_place == PHASE_ESCAPED)
            buf_printf(out, "{\"level\":\"%.4s\\u%04x%s\",\"status\":%u}", phase,
                       (unsigned)phase[4], phase + 5, status);
        else
            buf_printf(out, "{\"level\":\"%s\",\"status\":%u}", phase, status);
        return;
    case 0:
        buf_printf(out, "{\"level\":\"%s\",\"status\":%u,\"took\":\"%ums\",\"app\":\"inner\"}",
                   level, status, n);
        return;
    case 1:
        buf_printf(out, "level=%s status=%u took=%ums bytes=%uKB msg=\"a %sb\"", level, status, n,
                   n, has_backslashes ? "\\\"" : "");
        return;
    case 2:
        buf_printf(out, "{\"level\":\"%s\",\"status\":%u,", level, status); /* breaks off */
        return;
    case 3:
        buf_printf(out, "first %u\nsecond error", n);
        return;
    case 4:
        return; /* the empty line */
    default:
        for (unsigned i = random_below(6); i-- > 0;)
            buf_printf(out, "%s ", words[random_below(10)]);
        if (one_in(4))
            buf_printf(out, "needle-%08x", random_below(16));
        if (phase_place == PHASE_PLAIN && one_in(8))
            buf_printf(out, " %s", phase);
    }
}

static void random_sm(struct buf *out)
{
    static const char *const levels[] = {"info", "warn", "error", "weird"};
    static const char *const names[] = {"app", "detected_level", "level", "trace_id"};
    char text[32];
    struct label v[4];
    size_t n = 0;
    if (one_in(3))
        return;
    for (unsigned i = 0; i < 4; i++) {
        if (!one_in(i == 1 ? 1 : 4) || (i == 2 && !has_level_metadata))
            continue;
        v[n].name = sv_of(names[i]);
        v[n].value =
            sv_of(i == 2 && phase_place == PHASE_METADATA ? phase : levels[random_below(4)]);
        if (i == 3) {
            snprintf(text, sizeof text, "t%u", random_below(500));
            v[n].value = sv_of(text);
        }
        n++;
    }
    if (n > 1 && one_in(20)) { /* no canonical encoding: chunks keep such rows whole */
        struct label t = v[0];
        v[0] = v[n - 1];
        v[n - 1] = t;
    }
    if (n)
        labels_encode(out, (struct labels){v, n});
}

static int64_t random_ts(unsigned i, unsigned n)
{
    int64_t progress_s = (int64_t)LAKE_SPAN_S * i / n;
    int64_t s = progress_s + (one_in(10) ? -(int64_t)random_below(3000) : random_below(20));
    if (one_in(50))
        s = random_below(LAKE_SPAN_S);
    int64_t ns = one_in(2) ? 0 : random_below(1000) * INT64_C(1000000);
    return (s < 0 ? 0 : s) * NS_PER_S + ns;
}

/* Something happens to the data that must not change any answer. */
static void move_data(struct lake *l)
{
    switch (random_below(6)) {
    case 0:
        lake_rotate(l);
        break;
    case 1:
    case 2:
        lake_spill(l, one_in(2) ? PLACE_LOCAL : PLACE_OBJECT);
        break;
    case 3:
        if (l->n_segments > 1) {
            size_t from = l->n_segments - 2;
            while (from > 0 && !l->segments[from].gone && one_in(2))
                from--;
            lake_merge(l, from, l->n_segments, random_below(40) + 1);
        }
        break;
    default:
        break;
    }
}

/* The one move that leaves all in heads. */
static void move_between_heads(struct lake *l)
{
    if (l->n_heads < VIEW_MAX_HEADS)
        lake_rotate(l);
}

static void push_random(struct lake *l, unsigned n_entries, void (*move)(struct lake *l))
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT;
    CLEANUP(buf_deinit) struct buf sm = BUF_INIT;
    unsigned n_streams = 1 + random_below(N_STREAM_TEXTS), every = 5 + random_below(n_entries / 4);
    for (unsigned i = 0; i < n_entries; i++) {
        if (l->n_entries && one_in(12)) { /* a retry of something */
            struct lake_entry again =
                l->entries[l->n_entries - 1 - random_below(20) % l->n_entries];
            lake_push(l, again.stream, again.e.ts_ns, again.e.line, again.e.sm);
            continue;
        }
        buf_clear(&line);
        buf_clear(&sm);
        turn_phase(i, n_entries);
        random_line(&line);
        random_sm(&sm);
        uint32_t s =
            lake_stream(l, one_in(8) ? "other" : "t", stream_texts[random_below(n_streams)]);
        lake_push(l, s, random_ts(i, n_entries), buf_view(&line), buf_view(&sm));
        if (one_in(every))
            move(l);
    }
}

void lake_fill(struct lake *l)
{
    has_backslashes = one_in(2);
    has_level_metadata = one_in(2);
    /* Chunks under 2 KiB have no filter. */
    bool small = one_in(2);
    l->chunks =
        (struct chunk_options){.max_rows = small ? 1 + random_below(60) : 100 + random_below(200),
                               .target_raw_bytes = (small ? 200 : 2500) + random_below(4000),
                               .filter = one_in(4) ? CHUNK_FILTER_AUTO : CHUNK_FILTER_ALWAYS};
    l->use_filters = !one_in(4);
    push_random(l, small ? 20 + random_below(600) : 1000 + random_below(500), move_data);
}

void lake_fill_heads(struct lake *l, unsigned n_entries)
{
    has_backslashes = has_level_metadata = true;
    push_random(l, n_entries, move_between_heads);
}
