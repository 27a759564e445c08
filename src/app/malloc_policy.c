/* SPDX-License-Identifier: Apache-2.0 */
#include "app/malloc_policy.h"

#include <malloc.h>
#include <time.h>

#include "base/clock.h"

enum { KEEP_BYTES = 16 << 20, OWN_MAPPING_BYTES = 8 << 20, QUIET_SHARE = 20 };

void malloc_policy_set(void)
{
    mallopt(M_ARENA_MAX,
            1); /* what one thread freed serves the others; hot paths hardly allocate */
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
}

static int64_t cpu_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void malloc_policy_tick(struct malloc_policy *p, int64_t period_ns)
{
    int64_t now_ns = cpu_now_ns();
    if (now_ns - p->cpu_ns < period_ns / QUIET_SHARE)
        malloc_trim(0);
    p->cpu_ns = now_ns;
}
