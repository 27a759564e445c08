/* SPDX-License-Identifier: Apache-2.0 */
/* blocked.h - limits_config.blocked_queries: a list of rules {pattern, regex, types, hash,
 * query_tags}.  A rule blocks a query that meets all it names; a pattern is the whole text of the
 * query (blanks around it do not count), or with regex: true, found anywhere in it.
 * Pure. */
#pragma once
#include "base/conf/conf.h"
#include "querier/query_limits.h"

bool query_is_blocked(const struct conf_node *rules, const struct asked_query *q);
/* Of the text; what a rule's `hash` is compared with (FNV-1, 32 bits). */
uint32_t query_text_hash(struct str_view text);
/* metric, filter (a log query with a line or label filter) or limited. */
const char *query_type(const struct logql_expr *e);
