/* SPDX-License-Identifier: Apache-2.0 */
#include "model/name_list.h"

#include "model/labels.h"

bool names_duplicate(struct name_list names, struct str_view *ret)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct label *v = (void *)buf_add(&b, names.n * sizeof *v);
    for (size_t i = 0; i < names.n; i++)
        v[i] = (struct label){names.v[i], SV_EMPTY};
    struct str_view duplicate = {NULL, 0};
    labels_sort(v, names.n, &duplicate);
    if (duplicate.p)
        *ret = duplicate;
    return duplicate.p != NULL;
}

static int by_text(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

size_t names_sort_unique(struct str_view *v, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, by_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !sv_eq(v[i], v[kept - 1]))
            v[kept++] = v[i];
    return kept;
}
