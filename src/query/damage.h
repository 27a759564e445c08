/* SPDX-License-Identifier: Apache-2.0 */
/* damage.h - what a query left out because its bytes are damaged or gone.
 * Promise: a chunk counts whole or not at all; what is left out is named in the answer, which is
 * then short of it and of nothing else.  A setting lets such a query fail instead.
 * Threads: any may add; one list serves all tenants of a request. */
#pragma once
#include "base/err.h"
#include "store/damage.h"

struct segments; /* store/segments.h */

struct query_damage {
    bool is_fatal; /* fixed at init: it fails the query */
    struct damage_list list;
};
void query_damage_init(struct query_damage *d, bool is_fatal);
void query_damage_deinit(struct query_damage *d);

/* Reading `at` gave r < 0 and the text `why`.  0: that is damage, it was noted, here and with the
 * segments, and the query goes on without it.  Else the query fails: with r and err as it was, or
 * with ERR_CORRUPT where damage is fatal.  err may hold `why`. */
int query_damage_meet(struct query_damage *d, struct segments *segments,
                      const struct damage_place *at, int r, struct str_view why, struct err *err);
/* Damage that makes the query slower and its answer no shorter. */
void query_damage_note(struct segments *segments, const struct damage_place *at, const char *what,
                       struct str_view why);
