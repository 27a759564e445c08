/* SPDX-License-Identifier: Apache-2.0 */
/* app.h - the roles of one process: built bottom-up; stopped from the port inwards.
 * Threads: one thread opens, reloads and closes. */
#pragma once
#include "app/app_conf.h"

struct app;
/* Returns once the port is open; recovery may still run: /ready says. */
int app_open(struct app **ret, struct app_conf *conf, struct err *err);
/* Waits up to timeout_ns: 0 ready, 1 not yet, < 0 never. */
int app_wait_ready(struct app *a, int64_t timeout_ns, struct err *err);
void app_reload(struct app *a); /* SIGHUP: the overrides */
/* Drains, flushes what is to be flushed, frees all. */
void app_close(struct app *a);
