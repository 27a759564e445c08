/* SPDX-License-Identifier: Apache-2.0 */
#include "query/plan/tenant_matchers.h"

#include "model/tenant_label.h"
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

int tenant_matchers(struct arena *a, const struct matcher *v, size_t n, struct str_view tenant,
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
