/* SPDX-License-Identifier: Apache-2.0 */
/* checks.h - what the ingester refuses of a push, since it knows the streams.
 * Threads: the caller holds the heads' mu. */
#pragma once
#include <stdint.h>

#include "model/push.h"

struct heads;
struct ingester_conf;

/* Marks what the limits of a stream refuse (status and text, in the batch's arena), and, without a
 * word, exact repeats of its newest entry: they are stored.  Makes the stream where it is new.
 * Returns its number, UINT32_MAX when all of it was refused. */
uint32_t check_stream_locked(struct heads *h, const struct ingester_conf *conf,
                             struct push_batch *batch, struct push_stream *stream,
                             int64_t now_mono_ns);
