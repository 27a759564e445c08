/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - what of struct ingester_conf must hold before anything is built.
 * Threads: pure. */
#pragma once
#include "ingester/ingester.h"
#include "wal/wal.h"

/* ERR_INVALID, with a text that names the setting. */
int ingester_conf_check(const struct ingester_conf *c, struct err *err);
/* Of a checked one; wal.enabled: false counts as none. */
enum wal_sync ingester_conf_sync(const struct ingester_conf *c);
