/* SPDX-License-Identifier: Apache-2.0 */
/* leftovers.h - segments whose index rows and storage are to go.
 * Threads: one at a time. */
#pragma once
#include <stddef.h>

#include "base/err.h"
#include "store/segment_info.h"

struct index;
struct stores;

struct leftover {
    struct uuid uuid;
    enum segment_place place;
    char *key;              /* owned */
    struct period *periods; /* owned; NULL: not known */
    size_t n_periods;
};
struct leftovers {
    struct leftover *v;
    size_t n, cap;
};
#define LEFTOVERS_INIT ((struct leftovers){0})
void leftovers_deinit(struct leftovers *l);

/* Both copy.  Where the periods are known the tables of others are not looked at. */
void leftovers_add(struct leftovers *l, struct uuid uuid, enum segment_place place,
                   struct str_view key);
void leftovers_add_info(struct leftovers *l, const struct segment_info *info);
/* `from` is empty afterwards. */
void leftovers_move(struct leftovers *to, struct leftovers *from);

/* Rows first: without them nobody finds the file.  When they cannot be removed no file is; a file
 * that cannot be does not keep the others.  Returns the first failure; l is empty afterwards in any
 * case, and what stayed is found at the next start. */
int leftovers_remove(struct leftovers *l, struct index *index, const struct stores *stores,
                     struct err *err);
