/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what time it is, in nanoseconds.  Timers and deadlines use the monotonic clock; the
 * wall clock only stamps and judges entries.  Tests may stop both and move them by hand.
 * Threads: any. */
#pragma once
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MIN (60 * NS_PER_S)
#define NS_PER_HOUR (60 * NS_PER_MIN)
#define NS_PER_DAY (24 * NS_PER_HOUR)

int64_t clock_wall_ns(void); /* since 1970, UTC */
int64_t clock_mono_ns(void); /* since some start; never goes back */

/* From now on both clocks stand still at these values (tests only). */
void clock_fake_set(int64_t wall_ns, int64_t mono_ns);
void clock_fake_advance(int64_t ns);
void clock_fake_off(void);

/* 2026-03-01T10:00:00.5Z: as many fraction digits as needed, none for whole seconds.  Writes at
 * most CLOCK_TEXT_BYTES with the NUL, returns the length. */
enum { CLOCK_TEXT_BYTES = 48 };
int clock_rfc3339(int64_t wall_ns, char *out);
