/* SPDX-License-Identifier: Apache-2.0 */
/* zone.h - the entries of a time where strands of one stream overlap: they wait here until each
 * has brought its share, are put in (time, arrival) order, and repeats go.
 * Shares come with their lines (full), or with the lengths of lines alone (bare): a count needs no
 * line unless two strands hold entries of one time and length.
 * Threads: any may bring shares; whoever brings the last collapses. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

#include "base/control.h"
#include "model/entry.h"

/* Entries of one strand in (time, arrival) order. */
struct zone_share {
    struct zone_share *next;
    uint64_t arrival; /* of the strand among those of its stream */
    uint64_t mem_bytes;
    size_t n;
    bool bare; /* line.p of the entries means nothing */
    struct entry v[];
};
/* Copies n entries, lines too unless bare; charged to control.  < 0: no memory for the query. */
int zone_share_new(struct zone_share **ret, uint64_t arrival, const struct entry *v, size_t n,
                   bool bare, struct query_control *control, struct err *err);
/* And those that follow it; what was charged for them is released. */
void zone_share_free(struct zone_share *s, struct query_control *control);

struct zone {
    _Atomic(struct zone_share *) shares;
    _Atomic uint32_t n_missing; /* strands still to come */
    bool needs_lines;           /* bare shares left a doubt: to be gathered again, full */
};
/* n_strands: that cover it. */
void zone_init(struct zone *z, uint32_t n_strands);
/* A strand may bring several shares, as long as no two hold entries of one time. */
void zone_add(struct zone *z, struct zone_share *take_share);
/* A strand has brought what it has, perhaps nothing; true for the last strand. */
bool zone_arrive(struct zone *z);

/* What a zone holds, in one list; borrows the shares, which leave the zone. */
struct zone_entries {
    struct zone_share *shares;
    struct entry *v;
    size_t n;
    size_t n_repeats; /* that were left out */
    uint64_t charged_bytes;
};
/* Once per zone and round, by who brought the last share.  Bare shares in doubt set z->needs_lines
 * and give nothing.  *ret is deinitialised by the caller, also after a failure: no memory for the
 * query. */
int zone_collapse(struct zone *z, struct zone_entries *ret, struct query_control *control,
                  struct err *err);
void zone_entries_deinit(struct zone_entries *e, struct query_control *control);
