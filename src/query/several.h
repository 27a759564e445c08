/* SPDX-License-Identifier: Apache-2.0 */
/* several.h - lookups for all tenants that a request names: each is asked on its own, one after the
 * other and each at an instant of its own; of several, streams are told apart by the label
 * __tenant_id__ (http-api.md 3.3).  For one tenant they are the lookups themselves.
 * Memory and errors: as lookup.h.  Threads: one at a time. */
#pragma once
#include "query/lookup.h"

typedef int selection_fn(void *ctx, struct selection *s, struct err *err);
/* Calls fn with each tenant's selection while it is open, until one fails. */
int several_each(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                 selection_fn *fn, void *ctx, struct err *err);
/* Label names; with name the values of that label. */
int several_texts(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                  const struct str_view *name, struct arena *a, struct index_names *ret,
                  struct err *err);
/* Adds to set. */
int several_series(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                   struct series_set *set, struct err *err);
/* Adds to *to. */
int several_stats(const struct query_env *envs, size_t n_envs, const struct selection_query *q,
                  struct index_stats *to, struct err *err);
