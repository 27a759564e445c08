/* SPDX-License-Identifier: Apache-2.0 */
/* name_list.h - a list of label names: of a grouping, of what is to be dropped, of what is needed.
 * Names and array are borrowed.  Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str_view.h"

struct name_list {
    const struct str_view *v;
    size_t n;
};

static inline bool name_list_has(struct name_list names, struct str_view name)
{
    for (size_t i = 0; i < names.n; i++)
        if (sv_eq(names.v[i], name))
            return true;
    return false;
}
/* A name that stands in the list twice; time n log n.  False when all differ. */
bool names_duplicate(struct name_list names, struct str_view *ret);
/* Sorts bytewise in place, repeats left out; returns how many stay. */
size_t names_sort_unique(struct str_view *v, size_t n);
