/* SPDX-License-Identifier: Apache-2.0 */
/* crew.h - work shared by the caller and workers of the pool.
 * The caller works too and waits only for helpers that have begun, so that work never stands still
 * because the pool is full of callers that wait.
 * Threads: fn runs on several at once, each with a number of its own. */
#pragma once
#include "base/thread.h"

/* number: 0 is the caller, then up to n - 1. */
typedef void crew_fn(void *ctx, unsigned number);
/* Runs fn on up to n threads, at least on the caller's; returns when all that began have ended.
 * pool NULL: the caller alone. */
void crew_run(struct pool *pool, unsigned n, crew_fn *fn, void *ctx);
