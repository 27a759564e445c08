/* SPDX-License-Identifier: Apache-2.0 */
/* several.h - one read request over several tenants (http-api.md 3.3): each is asked on its own,
 * and what it answers is told apart by the label __tenant_id__.
 * Matchers on that label choose tenants; to the streams of a tenant they mean nothing.
 * Threads: pure. */
#pragma once
#include "base/arena.h"
#include "logql/ast.h"
#include "model/tenant_label.h"

/* What is left of the matchers for that tenant: none on the label, or, when they do not choose the
 * tenant, one that no stream meets. */
int several_matchers(struct arena *a, const struct matcher *v, size_t n, struct str_view tenant,
                     const struct matcher **ret, size_t *ret_n, struct err *err);
/* The query with such matchers. */
int several_expr(struct arena *a, const struct logql_expr *e, struct str_view tenant,
                 const struct logql_expr **ret, struct err *err);
