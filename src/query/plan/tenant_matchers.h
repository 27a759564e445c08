/* SPDX-License-Identifier: Apache-2.0 */
/* tenant_matchers.h - a request over several tenants (http-api.md 3.3) tells their streams apart by
 * the label __tenant_id__: matchers on it choose tenants, and mean nothing to the streams of one.
 * Pure. */
#pragma once
#include "base/arena.h"
#include "model/matcher.h"

/* What is left of the matchers for that tenant: none on the label, or, when they do not choose the
 * tenant, one more that no stream meets.  The list lies in the arena, its texts are borrowed.
 * < 0: a regex on the label does not compile. */
int tenant_matchers(struct arena *a, const struct matcher *v, size_t n, struct str_view tenant,
                    const struct matcher **ret, size_t *ret_n, struct err *err);
