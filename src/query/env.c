/* SPDX-License-Identifier: Apache-2.0 */
#include "query/env.h"

const struct read_scope READ_SCOPE_ALL = {NULL, 0};
const struct delete_filters DELETE_FILTERS_NONE = {NULL, 0};
