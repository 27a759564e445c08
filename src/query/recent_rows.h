/* SPDX-License-Identifier: Apache-2.0 */
/* recent_rows.h - the recent streams and rows of a selection as frames (wire/frames.h), for whoever
 * asked through cluster/peer.h.
 * Each call ends with FRAME_END, after a failure with its code, unless take() failed.
 * Memory is charged to the selection's query.  Threads: any number of calls on one selection. */
#pragma once
#include "cluster/peer.h"
#include "query/plan/selection.h"

int recent_streams(const struct selection *s, peer_take_fn *take, void *ctx, struct err *err);
/* Stored rows that pass q->query; pin and slices are not looked at. */
int recent_rows(const struct selection *s, const struct peer_rows *q, peer_take_fn *take, void *ctx,
                struct err *err);
