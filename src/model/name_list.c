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
