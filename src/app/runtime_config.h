/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_config.h - per-tenant overrides from files that are looked at again and again.
 * Promise: a file that cannot be read or does not parse changes nothing, and the log says why.
 * Threads: one of its own. */
#pragma once
#include "base/err.h"
#include "model/limits.h"

struct runtime_config;
/* The first load must succeed.  files: comma-separated, merged left to right; "" does nothing. */
int runtime_config_open(struct runtime_config **ret, const char *files, int64_t period_ns,
                        struct limits_table *table, struct err *err);
void runtime_config_close(struct runtime_config *c);
void runtime_config_reload(struct runtime_config *c); /* soon, not at the next period */
