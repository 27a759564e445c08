/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/rebuild_index.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "app/data_folder.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/rebuild.h"

struct command {
    const struct app_conf *conf;
    struct buf catalog, index, new_catalog, new_index; /* paths */
    char suffix[48];                                   /* of what is set aside */
};

static void command_deinit(struct command *c)
{
    buf_deinit(&c->catalog);
    buf_deinit(&c->index);
    buf_deinit(&c->new_catalog);
    buf_deinit(&c->new_index);
}

static bool is_taken(const struct buf *path, const char *suffix)
{
    CLEANUP(buf_deinit) struct buf full = BUF_INIT;
    buf_printf(&full, "%s%s", path->p, suffix);
    buf_put_u8(&full, 0);
    return file_exists(full.p);
}

/* The time, and a number where that has been used already. */
static void choose_suffix(struct command *c)
{
    time_t now = (time_t)(clock_wall_ns() / NS_PER_S);
    struct tm tm;
    gmtime_r(&now, &tm);
    size_t n = strftime(c->suffix, sizeof c->suffix, ".before-%Y%m%dT%H%M%SZ", &tm);
    for (unsigned i = 2; is_taken(&c->catalog, c->suffix) || is_taken(&c->index, c->suffix); i++)
        snprintf(c->suffix + n, sizeof c->suffix - n, "-%u", i);
}

static void set_paths(struct command *c)
{
    data_folder_path(c->conf, "catalog", &c->catalog);
    data_folder_path(c->conf, "index", &c->index);
    data_folder_path(c->conf, "catalog.rebuilding", &c->new_catalog);
    data_folder_path(c->conf, "index.rebuilding", &c->new_index);
    choose_suffix(c);
}

/* ---- notes ---- */

/* To "<its name>.damaged", not over another of that name.  Only what ends in ".seg" is looked at by
 * the next start, which removes segments that the catalog does not name. */
static int set_aside(const struct command *c, enum segment_place place, struct str_view key,
                     struct err *err)
{
    CLEANUP(buf_deinit) struct buf from = BUF_INIT, to = BUF_INIT, folder = BUF_INIT;
    const char *root = place == PLACE_LOCAL ? data_folder_path(c->conf, "segments", &from)
                                            : data_folder_objects(c->conf, &from);
    buf_printf(&folder, "%s/%.*s", root, SV_ARG(key));
    buf_clear(&from);
    buf_put(&from, buf_view(&folder));
    buf_put_u8(&from, 0);
    for (unsigned i = 1; i == 1 || file_exists(to.p); i++) {
        buf_clear(&to);
        buf_printf(&to, "%s.damaged", from.p);
        if (i > 1)
            buf_printf(&to, ".%u", i);
        buf_put_u8(&to, 0);
    }
    while (folder.p[folder.len - 1] != '/')
        folder.len--;
    folder.p[folder.len - 1] = '\0';
    int r = file_rename(from.p, to.p, err);
    if (r == 0)
        r = file_fsync_dir(folder.p, err);
    if (r == 0)
        printf("  it is %s now\n", to.p);
    return r;
}

static int take_note(void *ctx, enum rebuild_event event, enum segment_place place,
                     struct str_view key, const struct err *why, struct err *err)
{
    if (event != REBUILD_DAMAGED)
        return 0;
    printf("damaged: %s %.*s: %s\n", place == PLACE_LOCAL ? "segment" : "object", SV_ARG(key),
           why->text);
    return set_aside(ctx, place, key, err);
}

static void print_report(const struct rebuild_report *r)
{
    char uuid[UUID_TEXT_BYTES];
    uuid_print(r->installation.uuid, uuid);
    printf("%llu live segments with %llu rows in %llu parts\n", (unsigned long long)r->n_live,
           (unsigned long long)r->n_rows, (unsigned long long)r->n_parts);
    printf("%llu replaced by others, %llu damaged and left out\n",
           (unsigned long long)r->n_replaced, (unsigned long long)r->n_damaged);
    printf("installation %s, the WAL counts from LSN %llu\n", uuid,
           (unsigned long long)r->covered_lsn);
    if (r->newest_lsn > r->covered_lsn)
        printf("segments are missing or damaged behind that LSN: what the log still has of them is "
               "replayed at the next start, and what it has not is told then\n");
}

/* ---- taking the place ---- */

static int move_aside(const struct command *c, const struct buf *folder, struct err *err)
{
    CLEANUP(buf_deinit) struct buf old = BUF_INIT;
    buf_printf(&old, "%s%s", folder->p, c->suffix);
    buf_put_u8(&old, 0);
    if (!file_exists(folder->p))
        return 0;
    int r = file_rename(folder->p, old.p, err);
    if (r < 0)
        return r;
    printf("the old one is %s: remove it when all is well\n", old.p);
    return file_fsync_dir(c->conf->common.path_prefix, err);
}

static int move_in(const struct command *c, const struct buf *fresh, const struct buf *folder,
                   struct err *err)
{
    int r = file_rename(fresh->p, folder->p, err);
    return r < 0 ? r : file_fsync_dir(c->conf->common.path_prefix, err);
}

/* The catalog goes first and comes last: in between a start finds none, refuses, and asks for this
 * command again.  An old catalog beside no index would start and find nothing. */
static int take_place(const struct command *c, struct err *err)
{
    int r = move_aside(c, &c->catalog, err);
    if (r == 0)
        r = move_aside(c, &c->index, err);
    if (r == 0)
        r = move_in(c, &c->new_index, &c->index, err);
    return r < 0 ? r : move_in(c, &c->new_catalog, &c->catalog, err);
}

static int remove_unfinished(const struct command *c, struct err *err)
{
    int r = file_remove_tree(c->new_catalog.p, err);
    return r < 0 ? r : file_remove_tree(c->new_index.p, err);
}

static int rebuild(struct command *c, const struct stores *stores, struct err *err)
{
    struct uuid wal;
    struct err why = ERR_INIT;
    int owned = data_folder_wal_owner(c->conf, &wal, &why);
    if (owned < 0 &&
        owned != ERR_CORRUPT) /* what is not known now would be told wrongly for good */
        return err_set(err, owned, "%s", why.text);
    if (owned == ERR_CORRUPT)
        printf("%s: the segments tell whose data this is\n", why.text);
    const struct rebuild_conf conf = {.stores = *stores,
                                      .catalog_folder = c->new_catalog.p,
                                      .index_folder = c->new_index.p,
                                      .installation = owned == 0 ? &wal : NULL,
                                      .note = take_note,
                                      .ctx = c};
    struct rebuild_report report;
    int r = remove_unfinished(c, err);
    if (r == 0)
        r = rebuild_index(&conf, &report, err);
    if (r < 0)
        return r;
    print_report(&report);
    return take_place(c, err);
}

int rebuild_command(const struct app_conf *conf, struct err *err)
{
    CLEANUP(command_deinit) struct command c = {.conf = conf};
    struct stores stores = {0};
    int lock_fd = -1;
    if (!file_exists(conf->common.path_prefix))
        return err_set(err, -ENOENT, "common.path_prefix: there is no folder '%s'",
                       conf->common.path_prefix);
    set_paths(&c);
    int r = data_folder_lock(conf, &lock_fd, err);
    if (r == 0)
        r = data_folder_open_stores(conf, &stores, err);
    if (r == 0)
        r = rebuild(&c, &stores, err);
    stores_free(&stores);
    file_close(lock_fd);
    return r;
}
