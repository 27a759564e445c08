/* SPDX-License-Identifier: Apache-2.0 */
#include "logql/arith.h"

#include <math.h>

double arith_apply(enum binary_op op, double left, double right)
{
    switch (op) {
    case BINARY_ADD:
        return left + right;
    case BINARY_SUB:
        return left - right;
    case BINARY_MUL:
        return left * right;
    case BINARY_DIV:
        return right == 0 ? NAN : left / right;
    case BINARY_MOD:
        return right == 0 ? NAN : fmod(left, right);
    case BINARY_POW:
        return pow(left, right);
    case BINARY_EQ:
        return left == right;
    case BINARY_NE:
        return left != right;
    case BINARY_GT:
        return left > right;
    case BINARY_GE:
        return left >= right;
    case BINARY_LT:
        return left < right;
    case BINARY_LE:
        return left <= right;
    case BINARY_OR:
    case BINARY_AND:
    case BINARY_UNLESS:
    case N_BINARY_OPS:
        break;
    }
    return NAN;
}
