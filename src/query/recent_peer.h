/* SPDX-License-Identifier: Apache-2.0 */
/* recent_peer.h - the reading half of cluster/peer.h over the recent data of this process.
 * A pin is a selection that stays open between calls, with a budget and a deadline of its own.
 * Threads: any; calls on one pin may run at once, and it may be closed while they do. */
#pragma once
#include "cluster/peer.h"
#include "query/source.h"

struct ledger;
struct recent_peer;

/* source and ledger are borrowed; the ledger bears what pins hold (LEDGER_QUERIES). */
struct recent_peer *recent_peer_new(const struct recent_source *source, struct ledger *ledger);
/* Closes what is open still; no call is running.  NULL is fine. */
void recent_peer_free(struct recent_peer *p);
struct peer_reads recent_peer_reads(struct recent_peer *p);
