/* SPDX-License-Identifier: Apache-2.0 */
#include "model/filter.h"

const char *line_op_text(enum line_op op)
{
    static const char *const TEXT[] = {"|=", "!=", "|~", "!~", "|>", "!>"};
    return TEXT[op];
}

const char *cmp_op_text(enum cmp_op op)
{
    static const char *const TEXT[] = {"==", "!=", ">", ">=", "<", "<="};
    return TEXT[op];
}
