/* SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/wait_once.h"
#include "chunk/collapse.h"
#include "chunk/head.h"
#include "chunk/segment.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "store/object/object.h"
#include "store/segments.h"
#include "store/view.h"
#include "wire/push.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

/* In memory where there is such a place: nothing here depends on a real disk, and syncs are slow.
 */
static void make_folder(char out[64])
{
    bool in_memory = access("/dev/shm", W_OK) == 0;
    snprintf(out, 64, "%s/halogi-kit-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(out));
}

/* --- life ---------------------------------------------------------------------------------- */

int kit_setup(void **state)
{
    struct kit *k = mem_zalloc(1, sizeof *k);
    make_folder(k->folder);
    mutex_init(&k->mu);
    log_set_level(LOG_LEVEL_ERROR + 1);
    k->conf = (struct ingester_conf){.chunk_idle_period_ns = 1800 * NS_PER_S,
                                     .max_chunk_age_ns = 7200 * NS_PER_S,
                                     .flush_check_period_ns = 30 * NS_PER_S,
                                     .max_returned_stream_errors = 10,
                                     .head_max_bytes = 3 << 20,
                                     .head_max_age_ns = 1800 * NS_PER_S,
                                     .flush_local_bytes = 32 << 20,
                                     .flush_local_age_ns = 1800 * NS_PER_S,
                                     .flush_object_bytes = 128 << 20,
                                     .push_wait_max_bytes = 4 << 20,
                                     .wal_dir = "wal",
                                     .wal_sync = "fdatasync",
                                     .wal_sync_interval_ns = NS_PER_S / 10,
                                     .wal_enabled = true,
                                     .disk_full_threshold = 0};
    limits_set_defaults(&k->limits, &k->arena);
    k->limits.discover_service_name.n = 0;
    k->limits.discover_log_levels = false;
    k->limits.per_stream_rate_limit_bytes = UINT64_C(10) << 30;
    k->limits.per_stream_rate_limit_burst_bytes = UINT64_C(10) << 30;
    *state = k;
    kit_must_open(k);
    return 0;
}

int kit_teardown(void **state)
{
    struct kit *k = *state;
    file_fault_set(NULL, NULL);
    kit_close(k);
    assert_int_equal(file_remove_tree(k->folder, NULL), 0);
    arena_deinit(&k->arena);
    free(k->acked);
    free(k->sent);
    mutex_deinit(&k->mu);
    free(k);
    return 0;
}

static const char *below(const struct kit *k, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", k->folder, name);
    return out;
}

int kit_open(struct kit *k, struct err *err)
{
    char path[128];
    ledger_init(&k->ledger, UINT64_C(256) << 20);
    int r = object_fs_open(&k->stores.local, below(k, "segments", path), err);
    if (r == 0)
        r = object_fs_open(&k->stores.objects, below(k, "objects", path), err);
    if (r == 0)
        r = catalog_open(&k->catalog, below(k, "catalog", path), err);
    if (r == 0)
        r = index_open(&k->index, below(k, "index", path), NULL, err);
    if (r < 0)
        return r;
    struct segments_conf segments = {.stores = k->stores, .ledger = &k->ledger};
    k->segments = segments_new(&segments);
    k->views = views_new();
    struct ingester_deps deps = {.data_dir = k->folder,
                                 .catalog = k->catalog,
                                 .index = k->index,
                                 .segments = k->segments,
                                 .views = k->views,
                                 .stores = k->stores,
                                 .ledger = &k->ledger,
                                 .period_ns = DAY_NS};
    r = ingester_open(&k->in, &k->conf, &deps, err);
    return r < 0 ? r : ingester_wait_ready(k->in, -1, err);
}

void kit_must_open(struct kit *k)
{
    struct err err = ERR_INIT;
    if (kit_open(k, &err) < 0)
        fail_msg("%s", err.text);
}

void kit_close(struct kit *k)
{
    ingester_close(TAKE(k->in));
    views_free(TAKE(k->views));
    segments_free(TAKE(k->segments));
    index_close(TAKE(k->index));
    catalog_close(TAKE(k->catalog));
    stores_free(&k->stores);
    for (int a = 0; a < LEDGER_N_ACCOUNTS; a++)
        assert_int_equal(ledger_used_by(&k->ledger, (enum ledger_account)a), 0);
}

/* ---- a crash ---- */

/* Walks a folder of files that may come and go meanwhile: < 0 when one went. */
struct tree {
    const char *from;
    const char *to;  /* NULL: only the stamp is wanted */
    struct buf *out; /* of each entry: path, size, time of its last change */
};

static int copy_file(const char *from, const char *to, struct err *err)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    int r = file_read_whole(from, UINT64_C(1) << 31, &bytes, err);
    if (r < 0)
        return r;
    int fd = file_open(to, FILE_TRUNCATE, NULL);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, buf_view(&bytes), NULL), 0);
    file_close(fd);
    return 0;
}

static int walk_one(void *ctx, const char *name, bool is_dir, struct err *err)
{
    const struct tree *t = ctx;
    char from[256], to[256];
    struct file_info info;
    snprintf(from, sizeof from, "%s/%s", t->from, name);
    int r = file_stat(from, &info, err);
    if (r < 0)
        return r;
    buf_printf(t->out, "%s %llu %lld\n", from, is_dir ? 0ull : (unsigned long long)info.bytes,
               (long long)info.mtime_ns);
    if (t->to)
        snprintf(to, sizeof to, "%s/%s", t->to, name);
    if (!is_dir)
        return t->to ? copy_file(from, to, err) : 0;
    if (t->to)
        assert_int_equal(file_mkdirs(to, NULL), 0);
    struct tree below = {from, t->to ? to : NULL, t->out};
    return file_list_dir(from, walk_one, &below, err);
}

/* False when the folder changed meanwhile: no instant looked like the copy.  A disk that is written
 * to is copied in pieces of several instants, and no crash leaves that. */
static bool copy_if_still(const char *from, const char *to)
{
    enum { CLOCK_TICK_US = 12000 }; /* of the file system's clock: younger changes may not show */
    CLEANUP(buf_deinit) struct buf before = BUF_INIT, copied = BUF_INIT, after = BUF_INIT;
    struct tree look = {from, NULL, &before}, copy = {from, to, &copied},
                again = {from, NULL, &after};
    if (file_list_dir(from, walk_one, &look, NULL) < 0)
        return false;
    usleep(CLOCK_TICK_US);
    return file_list_dir(from, walk_one, &copy, NULL) == 0 &&
           file_list_dir(from, walk_one, &again, NULL) == 0 &&
           sv_eq(buf_view(&before), buf_view(&copied)) &&
           sv_eq(buf_view(&before), buf_view(&after));
}

void kit_crash(struct kit *k)
{
    char copy[64];
    make_folder(copy);
    for (unsigned n = 0; !copy_if_still(k->folder, copy); n++) {
        assert_in_range(n, 0, 2000);
        assert_int_equal(file_remove_tree(copy, NULL), 0);
        assert_int_equal(file_mkdirs(copy, NULL), 0);
    }
    kit_close(k);
    assert_int_equal(file_remove_tree(k->folder, NULL), 0);
    strcpy(k->folder, copy);
    kit_must_open(k);
}

/* --- pushing ------------------------------------------------------------------------------- */

struct kit_push {
    struct push_batch batch;
    struct arena arena;
    const struct kit_entry *v; /* in the kit's arena */
    size_t n;
    struct mutex mu;
    struct cond answered;
    bool done; /* guarded by mu */
    struct kit_answer answer;
};

static void on_done(void *ctx, struct push_batch *batch, int result, const struct err *err)
{
    struct kit_push *p = ctx;
    MUTEX_GUARD(&p->mu);
    p->answer.result = result;
    if (result < 0)
        p->answer.err = *err;
    for (size_t i = 0; i < batch->n_streams && p->answer.status == 0; i++) {
        p->answer.status = batch->streams[i].status;
        snprintf(p->answer.text, sizeof p->answer.text, "%.*s", SV_ARG(batch->streams[i].text));
    }
    p->done = true;
    cond_signal(&p->answered);
}

static void put_json_text(struct buf *out, const char *text)
{
    buf_put_u8(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)*text);
    }
    buf_put_u8(out, '"');
}

static void put_body(struct buf *out, const struct kit_entry *v, size_t n)
{
    buf_put(out, SV("{\"streams\":["));
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(v[i].labels, v[i - 1].labels) == 0)
            buf_put(out, SV(","));
        else
            buf_printf(out, "%s{\"stream\":%s,\"values\":[", i ? "]}," : "", v[i].labels);
        buf_printf(out, "[\"%lld\",", (long long)v[i].ts_ns);
        put_json_text(out, v[i].line);
        buf_printf(out, "%s%s]", v[i].sm ? "," : "", v[i].sm ? v[i].sm : "");
    }
    buf_put(out, SV("]}]}"));
}

struct kit_push *kit_push_start(struct kit *k, const struct kit_entry *v, size_t n,
                                enum kit_how how)
{
    struct kit_push *p = mem_zalloc(1, sizeof *p);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, encoded = BUF_INIT;
    struct err err = ERR_INIT;
    mutex_init(&p->mu);
    cond_init(&p->answered);
    mutex_lock(&k->mu);
    struct kit_entry *copy = ARENA_ARRAY(&k->arena, struct kit_entry, n);
    k->sent = mem_grow(k->sent, &k->cap_sent, k->n_sent + n, sizeof *k->sent);
    memcpy(k->sent + k->n_sent, v, n * sizeof *v);
    k->n_sent += n;
    mutex_unlock(&k->mu);
    memcpy(copy, v, n * sizeof *v);
    p->v = copy;
    p->n = n;
    put_body(&text, v, n);
    struct push_policy policy;
    push_policy_of_limits(&k->limits, &p->arena, &policy);
    push_policy_encode(&encoded, &policy);
    p->batch = (struct push_batch){.tenant = sv_of(v->tenant),
                                   .limits = &k->limits,
                                   .received_ns = clock_wall_ns(),
                                   .arena = &p->arena};
    p->batch.body = (struct push_body){.bytes = arena_copy(&p->arena, buf_view(&text)),
                                       .format = PUSH_JSON_V1,
                                       .policy = arena_copy(&p->arena, buf_view(&encoded))};
    if (push_decode(&p->batch.body, &policy, 64 << 20, NULL, &p->arena, &p->batch.streams,
                    &p->batch.n_streams, &err) < 0)
        fail_msg("%s", err.text);
    if (how == KIT_CANONICAL)
        p->batch.body.bytes = (struct str_view){NULL, 0};
    struct peer peer = ingester_peer(k->in);
    peer.ops->push(peer.self, &p->batch, on_done, p);
    return p;
}

bool kit_push_is_done(struct kit_push *p)
{
    MUTEX_GUARD(&p->mu);
    return p->done;
}

struct kit_answer kit_push_end(struct kit *k, struct kit_push *p)
{
    mutex_lock(&p->mu);
    while (!p->done)
        cond_wait(&p->answered, &p->mu);
    mutex_unlock(&p->mu);
    size_t at = 0;
    mutex_lock(&k->mu);
    for (size_t s = 0; s < p->batch.n_streams && p->answer.result == 0; s++)
        for (size_t i = 0; i < p->batch.streams[s].n_entries; i++, at++) {
            if (p->batch.streams[s].rejected || p->batch.streams[s].entries[i].rejected)
                continue;
            k->acked = mem_grow(k->acked, &k->cap_acked, k->n_acked + 1, sizeof *k->acked);
            k->acked[k->n_acked++] = p->v[at];
        }
    mutex_unlock(&k->mu);
    struct kit_answer answer = p->answer;
    cond_deinit(&p->answered);
    mutex_deinit(&p->mu);
    arena_deinit(&p->arena);
    free(p);
    return answer;
}

struct kit_answer kit_push(struct kit *k, const struct kit_entry *v, size_t n, enum kit_how how)
{
    return kit_push_end(k, kit_push_start(k, v, n, how));
}

void kit_push_ok(struct kit *k, const struct kit_entry *v, size_t n, enum kit_how how)
{
    struct kit_answer a = kit_push(k, v, n, how);
    if (a.result < 0 || a.status)
        fail_msg("push: %d %s %d %s", a.result, a.err.text, a.status, a.text);
}

int kit_flush(struct kit *k, struct err *err)
{
    struct wait_once wait;
    wait_once_init(&wait);
    struct peer peer = ingester_peer(k->in);
    peer.ops->flush(peer.self, wait_once_done, &wait);
    return wait_once_end(&wait, err);
}

/* --- reading ------------------------------------------------------------------------------- */

struct row {
    struct str_view labels; /* encoded */
    struct entry e;
    size_t order;
};
struct rows {
    struct row *v;
    size_t n, cap;
    struct arena arena;
};

static void add_row(struct rows *rows, struct str_view labels, const struct entry *e)
{
    rows->v = mem_grow(rows->v, &rows->cap, rows->n + 1, sizeof *rows->v);
    rows->v[rows->n] = (struct row){arena_copy(&rows->arena, labels),
                                    {e->ts_ns, arena_copy(&rows->arena, e->line),
                                     e->sm.len ? arena_copy(&rows->arena, e->sm) : SV_EMPTY},
                                    rows->n};
    rows->n++;
}

static int by_stream(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int c = sv_cmp(x->labels, y->labels);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void put_row(struct buf *out, struct str_view labels, const struct entry *e)
{
    struct arena a = ARENA_INIT;
    struct labels set;
    assert_int_equal(labels_decode(&a, labels, &set, NULL), 0);
    labels_print(out, set);
    buf_printf(out, " %lld ", (long long)e->ts_ns);
    buf_put(out, e->line);
    if (e->sm.len) {
        assert_int_equal(labels_decode(&a, e->sm, &set, NULL), 0);
        labels_print(out, set);
    }
    buf_put_u8(out, '\n');
    arena_deinit(&a);
}

/* Stream by stream, sorted, collapsed on demand. */
static void put_rows(struct rows *rows, bool collapse, struct buf *out)
{
    if (rows->n > 1)
        qsort(rows->v, rows->n, sizeof *rows->v, by_stream);
    struct entry *v = mem_alloc((rows->n + 1) * sizeof *v);
    for (size_t from = 0, end; from < rows->n; from = end) {
        size_t n = 0;
        for (end = from; end < rows->n && sv_eq(rows->v[end].labels, rows->v[from].labels); end++) {
            size_t at = n++;
            while (!collapse && at > 0 && v[at - 1].ts_ns > rows->v[end].e.ts_ns) {
                v[at] = v[at - 1];
                at--;
            }
            v[at] = rows->v[end].e;
        }
        if (collapse)
            n = entries_sort_collapse(v, n);
        for (size_t i = 0; i < n; i++)
            put_row(out, rows->v[from].labels, &v[i]);
    }
    free(v);
    free(rows->v);
    arena_deinit(&rows->arena);
}

static void read_part(const struct segment *s, const struct segment_part *info, struct rows *rows)
{
    struct part *p = NULL;
    struct chunk_decoder *d = chunk_decoder_new();
    assert_int_equal(part_open(&p, s, info, NULL), 0);
    struct part_source place = part_source_of(&s->source, p);
    struct chunk_source chunks = chunk_source_of(&place);
    for (uint32_t i = 0; i < p->n_streams; i++) {
        int64_t last_ts_ns = INT64_MIN;
        for (uint32_t r = 0; r < p->streams[i].n_runs; r++) {
            const struct segment_run *run = &p->runs[p->streams[i].first_run + r];
            const struct entry *e;
            chunk_decoder_set(d, &chunks, &p->chunks[run->chunk]);
            assert_int_equal(chunk_decoder_entries(d, &e, NULL), 0);
            for (uint32_t k = 0; k < run->rows; k++) {
                const struct entry *row = &e[run->first_row + k];
                assert_true(row->ts_ns >= last_ts_ns); /* each segment is in order */
                assert_true(row->ts_ns >= run->min_ts_ns && row->ts_ns <= run->max_ts_ns);
                last_ts_ns = row->ts_ns;
                add_row(rows, p->streams[i].labels, row);
            }
        }
    }
    chunk_decoder_free(d);
    part_close(p);
}

static void read_segment(struct kit *k, const struct segment_info *info, struct str_view tenant,
                         struct rows *rows)
{
    struct segment_file f;
    struct err err = ERR_INIT;
    if (segment_file_open(&f, &k->stores, info->place, info->key, &err) < 0)
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < f.segment->n_parts; i++)
        if (sv_eq(f.segment->parts[i].tenant, tenant))
            read_part(f.segment, &f.segment->parts[i], rows);
    segment_file_close(&f);
}

static void read_head_stream(const struct view *v, size_t head, const struct recent_stream *st,
                             struct rows *rows)
{
    struct head_iter it;
    struct entry e, *list = NULL;
    size_t n = 0, cap = 0;
    head_iter_init(&it, v->heads[head]->head, st->idx, v->visible[head]);
    while (head_iter_next(&it, &e, NULL)) {
        list = mem_grow(list, &cap, n + 1, sizeof *list);
        list[n++] = e;
    }
    while (n > 0)
        add_row(rows, st->labels, &list[--n]);
    free(list);
}

void kit_read(struct kit *k, const char *tenant, bool collapse, struct buf *out,
              struct kit_found *ret)
{
    struct arena arena = ARENA_INIT;
    struct recent recent;
    struct rows rows = {0};
    struct recent_source source = ingester_recent(k->in);
    *ret = (struct kit_found){0};
    assert_int_equal(source.open(source.self, sv_of(tenant), NULL, 0, &arena, &recent, NULL), 0);
    for (size_t i = 0; i < recent.view->n_segments; i++) {
        const struct segment_info *info = &recent.view->segments[i]->info;
        size_t before = rows.n;
        read_segment(k, info, sv_of(tenant), &rows);
        *(info->place == PLACE_LOCAL ? &ret->n_local : &ret->n_object) += rows.n - before;
    }
    size_t before = rows.n;
    for (size_t i = 0; i < recent.n_streams; i++)
        for (size_t h = 0; h < recent.view->n_heads; h++)
            read_head_stream(recent.view, h, &recent.streams[i], &rows);
    ret->n_head = rows.n - before;
    put_rows(&rows, collapse, out);
    view_unpin(recent.view);
    arena_deinit(&arena);
}

/* {"a":"b"} -> encoded; only simple texts. */
static struct str_view encode_json_labels(struct arena *a, const char *json)
{
    struct label v[16];
    size_t n = 0;
    if (!json)
        return SV_EMPTY;
    for (const char *p = json; (p = strchr(p, '"')) && n < 16; n++) {
        const char *name = p + 1, *name_end = strchr(name, '"');
        const char *value = strchr(name_end + 1, '"') + 1, *value_end = strchr(value, '"');
        v[n] = (struct label){sv(name, (size_t)(name_end - name)),
                              sv(value, (size_t)(value_end - value))};
        p = value_end + 1;
    }
    if (n == 0)
        return SV_EMPTY;
    labels_sort(v, n, NULL);
    CLEANUP(buf_deinit) struct buf encoded = BUF_INIT;
    labels_encode(&encoded, (struct labels){v, n});
    return arena_copy(a, buf_view(&encoded));
}

void kit_expect(struct kit *k, const struct kit_entry *v, size_t n, const char *tenant,
                struct buf *out)
{
    struct rows rows = {0};
    struct arena arena = ARENA_INIT;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].tenant, tenant) != 0)
            continue;
        struct entry e = {v[i].ts_ns, sv_of(v[i].line), encode_json_labels(&arena, v[i].sm)};
        add_row(&rows, encode_json_labels(&arena, v[i].labels), &e);
    }
    put_rows(&rows, true, out);
    arena_deinit(&arena);
}

static void show_difference(const struct buf *want, const struct buf *got)
{
    size_t at = 0, line = 0;
    while (at < want->len && at < got->len && want->p[at] == got->p[at])
        at++;
    for (line = at; line > 0 && want->p && line <= want->len && want->p[line - 1] != '\n';)
        line--;
    fail_msg("want %zu bytes, got %zu; first difference at %zu:\nwant: %.300s\ngot:  %.300s",
             want->len, got->len, at, line < want->len ? want->p + line : "",
             line < got->len ? got->p + line : "");
}

void kit_check(struct kit *k, const char *tenant)
{
    CLEANUP(buf_deinit) struct buf want = BUF_INIT, got = BUF_INIT;
    struct kit_found found;
    kit_expect(k, k->acked, k->n_acked, tenant, &want);
    kit_read(k, tenant, true, &got, &found);
    buf_put_u8(&want, 0);
    buf_put_u8(&got, 0);
    if (!sv_eq(buf_view(&want), buf_view(&got)))
        show_difference(&want, &got);
}

struct lines {
    struct str_view *v;
    size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

static struct lines split(const struct buf *text)
{
    struct lines l = {0};
    for (struct str_view rest = buf_view(text); rest.len > 0;) {
        size_t end = sv_find_byte(rest, '\n');
        l.v = mem_grow(l.v, &l.cap, l.n + 1, sizeof *l.v);
        l.v[l.n++] = sv_sub(rest, 0, end);
        rest = sv_from(rest, end + 1);
    }
    if (l.n > 1)
        qsort(l.v, l.n, sizeof *l.v, by_text);
    return l;
}

static void must_hold(const struct lines *all, const struct lines *some, const char *what)
{
    for (size_t i = 0; i < some->n; i++)
        if (!all->n || !bsearch(&some->v[i], all->v, all->n, sizeof *all->v, by_text))
            fail_msg("%s: %.*s", what, SV_ARG(some->v[i]));
}

void kit_check_between(struct kit *k, const char *tenant)
{
    CLEANUP(buf_deinit) struct buf acked = BUF_INIT, sent = BUF_INIT, got = BUF_INIT;
    struct kit_found found;
    kit_expect(k, k->acked, k->n_acked, tenant, &acked);
    kit_expect(k, k->sent, k->n_sent, tenant, &sent);
    kit_read(k, tenant, true, &got, &found);
    struct lines a = split(&acked), s = split(&sent), g = split(&got);
    must_hold(&g, &a, "acknowledged, and lost");
    must_hold(&s, &g, "never sent, or changed");
    free(a.v);
    free(s.v);
    free(g.v);
}

size_t kit_n_acked(struct kit *k)
{
    MUTEX_GUARD(&k->mu);
    return k->n_acked;
}

struct counting {
    const char *path, *suffix;
    size_t n;
};

static int count_one(void *ctx, const char *name, bool is_dir, struct err *err)
{
    struct counting *c = ctx;
    char path[256];
    if (!is_dir) {
        c->n += sv_ends_with(sv_of(name), sv_of(c->suffix));
        return 0;
    }
    snprintf(path, sizeof path, "%s/%s", c->path, name);
    struct counting deeper = {path, c->suffix, 0};
    int r = file_list_dir(path, count_one, &deeper, err);
    c->n += deeper.n;
    return r;
}

size_t kit_n_files(struct kit *k, const char *name, const char *suffix)
{
    char path[128];
    struct counting c = {below(k, name, path), suffix, 0};
    assert_int_equal(file_list_dir(path, count_one, &c, NULL), 0);
    return c.n;
}
