/* SPDX-License-Identifier: Apache-2.0 */
/* policies.h - the push policy of each set of limits, made once.
 * Threads: any; a policy is read-only and lives as long as the cache. */
#pragma once
#include "wire/push.h"

struct kept_policy {
    uint64_t limits_id;
    struct push_policy policy;
    struct str_view encoded; /* as the WAL records it */
    struct arena arena;
    struct kept_policy *next;
};

struct policies;
struct policies *policies_new(void);
void policies_free(struct policies *p);
const struct kept_policy *policies_get(struct policies *p, const struct limits *limits);
