/* SPDX-License-Identifier: Apache-2.0 */
#include "query/several.h"

#include <string.h>

#include "regex/regex.h"

static int chooses(const struct matcher *m, struct str_view tenant, bool *ret, struct err *err)
{
    struct matcher own = *m;
    own.regex = NULL;
    int r = matcher_compile(&own, err);
    if (r < 0)
        return r;
    struct regex_scratch *scratch = own.regex ? regex_scratch_new() : NULL;
    *ret = matcher_matches(&own, scratch, tenant);
    regex_scratch_free(scratch);
    matcher_deinit(&own);
    return 0;
}

int several_matchers(struct arena *a, const struct matcher *v, size_t n, struct str_view tenant,
                     const struct matcher **ret, size_t *ret_n, struct err *err)
{
    struct matcher *out = ARENA_ARRAY(a, struct matcher, n + 1);
    size_t n_out = 0;
    bool chosen = true;
    for (size_t i = 0; i < n; i++) {
        bool fits = true;
        if (!sv_eq(v[i].name, SV(TENANT_LABEL))) {
            out[n_out++] = v[i];
            continue;
        }
        int r = chooses(&v[i], tenant, &fits, err);
        if (r < 0)
            return r;
        chosen &= fits;
    }
    if (!chosen) /* no stream carries the label with a value that is no tenant's */
        out[n_out++] = (struct matcher){SV(TENANT_LABEL), MATCH_EQ, SV("|"), NULL};
    *ret = out;
    *ret_n = n_out;
    return 0;
}

int several_expr(struct arena *a, const struct logql_expr *e, struct str_view tenant,
                 const struct logql_expr **ret, struct err *err)
{
    struct logql_expr *copy = ARENA_NEW(a, struct logql_expr);
    struct log_query *log = NULL;
    int r = 0;
    *copy = *e;
    *ret = copy;
    switch (e->kind) {
    case LOGQL_LOG:
        log = &copy->log;
        break;
    case LOGQL_RANGE_AGG:
        log = &copy->range.log;
        break;
    case LOGQL_VECTOR_AGG:
        return several_expr(a, e->vector_agg.inner, tenant, &copy->vector_agg.inner, err);
    case LOGQL_LABEL_REPLACE:
        return several_expr(a, e->label_replace.inner, tenant, &copy->label_replace.inner, err);
    case LOGQL_BINARY:
        r = several_expr(a, e->binary.left, tenant, &copy->binary.left, err);
        return r < 0 ? r : several_expr(a, e->binary.right, tenant, &copy->binary.right, err);
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        return 0;
    }
    return several_matchers(a, log->matchers, log->n_matchers, tenant, &log->matchers,
                            &log->n_matchers, err);
}
