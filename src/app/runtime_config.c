/* SPDX-License-Identifier: Apache-2.0 */
#include "app/runtime_config.h"

#include "base/conf/conf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"

enum { MAX_FILE_BYTES = 8 << 20, MAX_MERGE_DEPTH = 8 };

GAUGE(last_ok, "loki_runtime_config_last_reload_successful",
      "1 when the last load of the overrides worked");

struct runtime_config {
    char *files; /* fixed at init */
    int64_t period_ns;
    struct limits_table *table;
    struct thread thread;
    struct buf loaded; /* owned by the thread: the text that is in force or was refused */
    struct mutex mu;
    struct cond wake;
    bool stop, now; /* guarded by mu */
};

/* Keys of `over` replace those of `under`; maps in both are merged. */
static const struct conf_node *merge(struct arena *a, const struct conf_node *under,
                                     const struct conf_node *over, unsigned depth)
{
    if (!under || under->kind != CONF_NODE_MAP || over->kind != CONF_NODE_MAP ||
        depth == MAX_MERGE_DEPTH)
        return over;
    struct conf_node *m = ARENA_NEW(a, struct conf_node);
    const struct conf_node **items =
        ARENA_ARRAY(a, const struct conf_node *, under->n + over->n + 1);
    struct str_view *keys = ARENA_ARRAY(a, struct str_view, under->n + over->n + 1);
    *m =
        (struct conf_node){.kind = CONF_NODE_MAP, .line = over->line, .items = items, .keys = keys};
    for (size_t i = 0; i < under->n; i++) {
        const struct conf_node *other = conf_node_get(over, under->keys[i]);
        keys[m->n] = under->keys[i];
        items[m->n++] = other ? merge(a, under->items[i], other, depth + 1) : under->items[i];
    }
    for (size_t i = 0; i < over->n; i++) {
        if (conf_node_get(under, over->keys[i]))
            continue;
        keys[m->n] = over->keys[i];
        items[m->n++] = over->items[i];
    }
    return m;
}

/* One file is passed on as it is, so that messages have its lines. */
static int read_files(struct str_view files, struct buf *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    const struct conf_node *merged = NULL;
    bool several = sv_find_byte(files, ',') < files.len;
    while (files.len > 0) {
        size_t comma = sv_find_byte(files, ',');
        struct str_view path = arena_copy(&arena, sv_trim(sv_sub(files, 0, comma)));
        files = sv_from(files, comma + 1);
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        int r = file_read_whole(path.p, MAX_FILE_BYTES, several ? &text : ret, err);
        const struct conf_node *node = NULL;
        if (r == 0 && several)
            r = conf_yaml_parse(buf_view(&text), &arena, &node, err);
        if (r < 0)
            return err_context(err, r, "%s", path.p);
        if (several)
            merged = merge(&arena, merged, node, 0);
    }
    if (several && merged)
        conf_node_print(merged, 0, ret);
    return 0;
}

/* Loads when the text is another than last time. */
static int load(struct runtime_config *c, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    int r = read_files(sv_of(c->files), &text, err);
    if (r < 0)
        return r;
    if (c->loaded.p && sv_eq(buf_view(&text), buf_view(&c->loaded)))
        return 0;
    buf_clear(&c->loaded);
    buf_put(&c->loaded, buf_view(&text));
    buf_reserve(&c->loaded, 1); /* an empty file is a text, too */
    r = limits_table_load(c->table, buf_view(&text), c->files, err);
    metric_set(&last_ok, r == 0);
    if (r == 0)
        LOG_INFO("overrides loaded", log_str("file", c->files));
    return r;
}

static void runtime_main(void *ctx)
{
    struct runtime_config *c = ctx;
    struct err last = ERR_INIT;
    mutex_lock(&c->mu);
    while (!c->stop) {
        if (!c->now)
            cond_wait_for(&c->wake, &c->mu, c->period_ns);
        c->now = false;
        if (c->stop)
            break;
        mutex_unlock(&c->mu);
        struct err err = ERR_INIT;
        if (load(c, &err) < 0 && strcmp(err.text, last.text) != 0)
            LOG_ERROR("overrides not loaded, the old values stay", log_str("err", err.text));
        last = err;
        mutex_lock(&c->mu);
    }
    mutex_unlock(&c->mu);
}

int runtime_config_open(struct runtime_config **ret, const char *files, int64_t period_ns,
                        struct limits_table *table, struct err *err)
{
    *ret = NULL;
    if (!*files)
        return 0;
    struct runtime_config *c = mem_zalloc(1, sizeof *c);
    size_t len = strlen(files);
    c->files = mem_alloc(len + 1);
    memcpy(c->files, files, len + 1);
    c->period_ns = period_ns;
    c->table = table;
    mutex_init(&c->mu);
    cond_init(&c->wake);
    int r = load(c, err);
    if (r == 0)
        r = thread_start(&c->thread, "runtime-config", runtime_main, c, err);
    if (r < 0) {
        runtime_config_close(c);
        return err_context(err, r, "runtime_config.file");
    }
    *ret = c;
    return 0;
}

void runtime_config_reload(struct runtime_config *c)
{
    if (!c)
        return;
    MUTEX_GUARD(&c->mu);
    c->now = true;
    cond_signal(&c->wake);
}

void runtime_config_close(struct runtime_config *c)
{
    if (!c)
        return;
    mutex_lock(&c->mu);
    c->stop = true;
    cond_signal(&c->wake);
    mutex_unlock(&c->mu);
    thread_join(&c->thread);
    cond_deinit(&c->wake);
    mutex_deinit(&c->mu);
    buf_deinit(&c->loaded);
    free(c->files);
    free(c);
}
