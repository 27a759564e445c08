/* SPDX-License-Identifier: Apache-2.0 */
/* malloc_policy.h - how much freed memory the allocator keeps.
 * Under load it keeps some, since asking the kernel for the same pages again for each push costs a
 * seventh of ingest; once the process is quiet all of it goes back.
 * Threads: one. */
#pragma once
#include <stdint.h>

struct malloc_policy {
    int64_t cpu_ns; /* of the process, at the last call */
};
/* Before the first thread. */
void malloc_policy_set(void);
/* Every period_ns or so: gives freed memory back when the process did little since the last
 * call. */
void malloc_policy_tick(struct malloc_policy *p, int64_t period_ns);
