/* SPDX-License-Identifier: Apache-2.0 */
/* What every kind of store shares: key rules, whole-object calls, counters. */
#include "store/object/object.h"

#include <string.h>

#include "base/bytes.h"
#include "base/metrics.h"

COUNTER_BY(object_ops_total, "halogi_object_store_operations_total",
           "Calls to the object store, finished or failed", "operation", "status");
COUNTER(object_read_bytes, "halogi_object_store_read_bytes_total",
        "Bytes read from the object stores, local segments included");
COUNTER(object_written_bytes, "halogi_object_store_written_bytes_total",
        "Bytes written to the object stores, local segments included");

static int counted(const char *op, int r)
{
    METRIC_ADD(&object_ops_total, 1, sv_of(op), r < 0 ? SV("error") : SV("ok"));
    return r;
}

static bool key_byte_ok(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool object_key_valid(struct str_view key)
{
    if (key.len == 0 || key.len > OBJECT_KEY_MAX_BYTES)
        return false;
    for (struct str_view rest = key;;) {
        size_t slash = sv_find_byte(rest, '/');
        struct str_view part = sv_sub(rest, 0, slash);
        if (part.len == 0 || sv_eq(part, SV(".")) || sv_eq(part, SV("..")) ||
            sv_ends_with(part, SV(".tmp")))
            return false;
        for (size_t i = 0; i < part.len; i++)
            if (!key_byte_ok(part.p[i]))
                return false;
        if (slash == rest.len)
            return true;
        rest = sv_from(rest, slash + 1);
    }
}

static int check_key(struct str_view key, struct err *err)
{
    if (object_key_valid(key))
        return 0;
    return err_set(err, ERR_INVALID, "object key '%.*s' is not valid", SV_ARG(key));
}

void object_store_free(struct object_store *s)
{
    if (s)
        s->ops->free(s);
}

int object_create(struct object_store *s, struct str_view key, struct object_writer **ret,
                  struct err *err)
{
    int r = check_key(key, err);
    return r < 0 ? r : counted("create", s->ops->create(s, key, ret, err));
}

int object_write(struct object_writer *w, struct str_view data, struct err *err)
{
    int r = w->ops->write(w, data, err);
    if (r < 0)
        return counted("write", r);
    w->bytes += data.len;
    metric_add(&object_written_bytes, (int64_t)data.len);
    return 0;
}

int object_commit(struct object_writer *w, struct err *err)
{
    return counted("commit", w->ops->commit(w, err));
}

void object_abort(struct object_writer *w)
{
    if (w)
        w->ops->abort(w);
}

int object_put(struct object_store *s, struct str_view key, struct str_view data, struct err *err)
{
    struct object_writer *w;
    int r = object_create(s, key, &w, err);
    if (r < 0)
        return r;
    r = object_write(w, data, err);
    if (r == 0)
        return object_commit(w, err);
    object_abort(w);
    return r;
}

int object_get(struct object_store *s, struct str_view key, uint64_t max_bytes, struct buf *ret,
               struct err *err)
{
    struct object_reader *o;
    int r = object_open(s, key, &o, err);
    if (r < 0)
        return r;
    if (o->bytes > max_bytes) {
        r = err_set(err, ERR_TOO_LARGE, "object '%.*s' has %llu bytes, the limit is %llu",
                    SV_ARG(key), (unsigned long long)o->bytes, (unsigned long long)max_bytes);
    } else {
        size_t before = ret->len;
        char *to = buf_add(ret, (size_t)o->bytes);
        r = object_pread(o, to, (size_t)o->bytes, 0, err);
        if (r < 0)
            ret->len = before;
    }
    object_close(o);
    return r;
}

int object_open(struct object_store *s, struct str_view key, struct object_reader **ret,
                struct err *err)
{
    int r = check_key(key, err);
    return r < 0 ? r : counted("open", s->ops->open(s, key, ret, err));
}

uint64_t object_bytes(const struct object_reader *r)
{
    return r->bytes;
}

int object_pread(struct object_reader *o, void *to, size_t len, uint64_t at, struct err *err)
{
    if (len > o->bytes || at > o->bytes - len)
        return err_set(err, ERR_CORRUPT,
                       "read of %zu bytes at %llu passes the end of an object of %llu bytes", len,
                       (unsigned long long)at, (unsigned long long)o->bytes);
    if (len == 0)
        return 0;
    int r = o->ops->pread(o, to, len, at, err);
    if (r < 0)
        return counted("read", r);
    metric_add(&object_read_bytes, (int64_t)len);
    return 0;
}

void object_close(struct object_reader *r)
{
    if (r)
        r->ops->close(r);
}

int object_list(struct object_store *s, struct str_view prefix, object_list_fn *fn, void *ctx,
                struct err *err)
{
    int r = s->ops->list(s, prefix, fn, ctx, err);
    counted("list", r);
    return r;
}

int object_delete(struct object_store *s, struct str_view key, struct err *err)
{
    int r = check_key(key, err);
    return r < 0 ? r : counted("delete", s->ops->del(s, key, err));
}

static int copy_and_delete(struct object_store *s, struct str_view from, struct str_view to,
                           struct err *err)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    int r = object_get(s, from, UINT64_MAX, &bytes, err);
    if (r == 0)
        r = object_put(s, to, buf_view(&bytes), err);
    return r < 0 ? r : object_delete(s, from, err);
}

int object_rename(struct object_store *s, struct str_view from, struct str_view to, struct err *err)
{
    int r = check_key(from, err);
    if (r == 0)
        r = check_key(to, err);
    if (r < 0)
        return r;
    return s->ops->rename ? counted("rename", s->ops->rename(s, from, to, err))
                          : copy_and_delete(s, from, to, err);
}

int object_settle(struct object_store *s, struct str_view key, struct err *err)
{
    int r = check_key(key, err);
    return r < 0 || !s->ops->settle ? r : counted("settle", s->ops->settle(s, key, err));
}
