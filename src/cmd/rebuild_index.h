/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild_index.h - `halogi rebuild-index`: see store/rebuild.h for what lives afterwards.
 * New catalog and index are made beside the old ones and take their places when they are whole;
 * the old ones stay under another name.  Damaged segments get one, too, out of reach of the next
 * start, which removes left-overs that the catalog does not name.
 * Threads: one, and no other process in the data folder (ERR of the lock). */
#pragma once
#include "app/app_conf.h"

/* Prints to stdout what it does and finds. */
int rebuild_command(const struct app_conf *conf, struct err *err);
