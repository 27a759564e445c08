/* SPDX-License-Identifier: Apache-2.0 */
#include "model/discard.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/metrics.h"

COUNTER_BY(discarded_entries, "loki_discarded_samples_total", "Entries refused", "reason", "tenant",
           "retention_hours", "policy", "format");
COUNTER_BY(discarded_bytes, "loki_discarded_bytes_total", "Bytes of entries refused", "reason",
           "tenant", "retention_hours", "policy", "format");

struct str_view retention_hours_text(const struct limits *limits, char text[24])
{
    int n = snprintf(text, 24, "%lld", (long long)(limits->retention_period_ns / NS_PER_HOUR));
    return sv(text, (size_t)n);
}

void discard_count(const char *reason, struct str_view tenant, const struct limits *limits,
                   uint64_t n_entries, uint64_t bytes)
{
    char text[24];
    struct str_view hours = retention_hours_text(limits, text);
    METRIC_ADD(&discarded_entries, (int64_t)n_entries, sv_of(reason), tenant, hours, SV(""),
               SV("loki"));
    METRIC_ADD(&discarded_bytes, (int64_t)bytes, sv_of(reason), tenant, hours, SV(""), SV("loki"));
}
