/* SPDX-License-Identifier: Apache-2.0 */
/* label_need.h - which labels the rows of a query must bring: stages that make others may be left
 * out.  The names are borrowed. */
#pragma once
#include <stdbool.h>

#include "model/name_list.h"

/* Which labels the entries of a leaf must bring. */
enum need_kind { NEED_ALL, NEED_BY, NEED_WITHOUT };
struct label_need {
    enum need_kind kind;
    struct name_list names;
    /* One of the forms in which only needed labels are extracted and errors of parsers may go
     * unnoticed (logql.md 3.12). */
    bool reduced;
};
