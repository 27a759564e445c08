/* SPDX-License-Identifier: Apache-2.0 */
/* arith.h - what the binary operators do to two numbers. */
#pragma once
#include "logql/ast.h"

/* Arithmetic in doubles; x / 0 and x % 0 are NaN.  A comparison gives 0 or 1.  Set operators have
 * no value: NaN. */
double arith_apply(enum binary_op op, double left, double right);
