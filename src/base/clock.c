/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static _Atomic bool faked;
static _Atomic int64_t fake_wall_ns, fake_mono_ns;

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_wall_ns(void)
{
    return atomic_load(&faked) ? atomic_load(&fake_wall_ns) : read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return atomic_load(&faked) ? atomic_load(&fake_mono_ns) : read_clock(CLOCK_MONOTONIC);
}

void clock_fake_set(int64_t wall_ns, int64_t mono_ns)
{
    atomic_store(&fake_wall_ns, wall_ns);
    atomic_store(&fake_mono_ns, mono_ns);
    atomic_store(&faked, true);
}

void clock_fake_advance(int64_t ns)
{
    atomic_fetch_add(&fake_wall_ns, ns);
    atomic_fetch_add(&fake_mono_ns, ns);
}

void clock_fake_off(void)
{
    atomic_store(&faked, false);
}

int clock_rfc3339(int64_t wall_ns, char *out)
{
    int64_t s = wall_ns / NS_PER_S, fraction = wall_ns % NS_PER_S;
    if (fraction < 0) {
        fraction += NS_PER_S;
        s--;
    }
    time_t t = (time_t)s;
    struct tm tm;
    gmtime_r(&t, &tm);
    size_t n = strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    if (fraction) {
        n += (size_t)snprintf(out + n, CLOCK_TEXT_BYTES - n, ".%09lld", (long long)fraction);
        while (out[n - 1] == '0')
            n--;
    }
    out[n++] = 'Z';
    out[n] = '\0';
    return (int)n;
}
