/* SPDX-License-Identifier: Apache-2.0 */
/* classes.h - which runes a list of sets cannot tell apart, and sets as bits over such classes. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "regex/charclass.h"

struct class_start;

struct set_classes {
    uint32_t n_classes;
    uint32_t ascii[128];
    struct class_start *starts; /* ascending runes, the first is 0x80 */
    size_t n_starts;
};

void set_classes_compute(struct set_classes *ret, struct rune_set *const *sets, size_t n_sets);
void set_classes_deinit(struct set_classes *c);

struct set_rows {
    uint64_t *bits;
    size_t n, cap_words, words;
    uint32_t *row_of_set; /* by set id, +1; 0: none yet */
};

void set_rows_init(struct set_rows *rows, size_t words, size_t n_sets);
void set_rows_deinit(struct set_rows *rows);
/* The row of a set, made when missing.  *ret_only is the class when the set is exactly one class
 * (there is no row then), else UINT32_MAX. */
uint32_t set_rows_get(struct set_rows *rows, const struct set_classes *classes,
                      const struct class_start *starts, const struct rune_set *set,
                      uint32_t *ret_only);
