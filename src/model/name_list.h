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

/* A name that stands in the list twice; time n log n.  False when all differ. */
bool names_duplicate(struct name_list names, struct str_view *ret);
