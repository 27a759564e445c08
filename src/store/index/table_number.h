/* SPDX-License-Identifier: Apache-2.0 */
/* table_number.h - series of a part -> their numbers in the table; new ones are written down.
 * Threads: the table's writer. */
#pragma once
#include "store/index/table.h"

/* ret_sids[i]: of v[i], where it has runs.  New series get the next numbers in the order of v:
 * those from the old tenant->n_sids on. */
int table_number_series(struct kv_txn *t, struct table_tenant *tenant,
                        const struct index_part_series *v, size_t n, uint32_t *ret_sids,
                        struct err *err);
