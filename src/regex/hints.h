/* SPDX-License-Identifier: Apache-2.0 */
/* hints.h - what a backtracking matcher can know of a program beforehand.  They change its speed,
 * never its answer. */
#pragma once
#include "regex/prog.h"

/* Fills runs and run_of. */
void prog_find_runs(struct prog *p);
/* Fills has_first, only_first and first_byte. */
void prog_find_first(struct prog *p);
