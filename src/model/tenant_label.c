/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tenant_label.h"

#define ORIGINAL_LABEL "original_" TENANT_LABEL

struct labels tenant_label_add(struct arena *a, struct labels l, struct str_view tenant)
{
    struct label *v = ARENA_ARRAY(a, struct label, l.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) {
        if (sv_eq(l.v[i].name, SV(ORIGINAL_LABEL)) && labels_get(l, SV(TENANT_LABEL)).p)
            continue; /* gives way to what is renamed now */
        v[n] = l.v[i];
        if (sv_eq(v[n].name, SV(TENANT_LABEL)))
            v[n].name = SV(ORIGINAL_LABEL);
        n++;
    }
    v[n++] = (struct label){SV(TENANT_LABEL), tenant};
    labels_sort(v, n, NULL);
    return (struct labels){v, n};
}
