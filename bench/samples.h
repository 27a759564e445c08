/* SPDX-License-Identifier: Apache-2.0 */
/* samples.h - log lines for benchmarks: real ones, varied so that no two are equal, and made ones.
 * Same calls, same bytes: the generator is seeded.  Threads: one. */
#pragma once
#include "base/bytes.h"

enum { MAX_SAMPLES = 64 };

struct sample {
    char name[64];
    struct buf text;
    struct str_view *lines;
    size_t n_lines, cap_lines;
};

uint64_t rnd(void);
/* The *.log files of a folder; returns how many. */
size_t load_samples(const char *folder, struct sample *samples);
/* Replaces the tail of each digit run of four and more, and each hex run of eight and more that
 * holds a digit; the first half of a run stays, as counters and prefixes do in real logs. */
void put_varied(struct buf *out, struct str_view line);
void put_json(struct buf *out);   /* an access log */
void put_logfmt(struct buf *out); /* a service's log */
