/* SPDX-License-Identifier: Apache-2.0 */
/* data_folder.h - what stands where below common.path_prefix:
 *   lock, wal/ (ingester.wal.dir), segments/, objects/ (common.chunks_directory), catalog/, index/
 * Threads: any. */
#pragma once
#include "app/app_conf.h"
#include "base/bytes.h"
#include "store/segment_file.h"
#include "wal/wal.h"

/* One process per data folder, which is made when missing; the lock holds until *ret_fd closes. */
int data_folder_lock(const struct app_conf *conf, int *ret_fd, struct err *err);
/* The path of a name in it; an absolute name stays as it is.  Valid as long as `path`. */
const char *data_folder_path(const struct app_conf *conf, const char *name, struct buf *path);
/* Where the objects are: also a path, not below the data folder when it is configured. */
const char *data_folder_objects(const struct app_conf *conf, struct buf *path);
/* After a failure either may be open: stores_free() in any case. */
int data_folder_open_stores(const struct app_conf *conf, struct stores *ret, struct err *err);
/* wal_owner_of() its log. */
int data_folder_wal_owner(const struct app_conf *conf, struct uuid *ret, struct err *err);
/* Refuses data without a catalog: a new one would name nothing of it. */
int data_folder_check(const struct app_conf *conf, const struct stores *stores, struct err *err);
