/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - questions about lists of label names. */
#pragma once
#include "logql/ast.h"

/* A name that stands in the list twice; time n log n.  False when all differ. */
bool names_duplicate(struct name_list names, struct str_view *ret);
