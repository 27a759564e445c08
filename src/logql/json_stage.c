/* SPDX-License-Identifier: Apache-2.0 */
/* Flattening walks the text once.  Loki looks for the end of a nested object before it looks into
 * it, so one that breaks off yields none of its members: the outermost nested object is checked
 * for its end, and with it are all those inside. */
#include "logql/json_stage.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "logql/byte_scan.h"
#include "logql/json_text.h"
#include "logql/label_key.h"

/* ---- without expressions ---- */

enum { DEPTH_MAX = 1000 };

struct flattener {
    struct json_cursor in;
    struct arena *scratch;
    emit_fn *emit;
    void *ctx;
    char *prefix; /* of the object we are in, sanitised; in the scratch arena */
    size_t prefix_cap;
    size_t prefix_len[DEPTH_MAX + 1]; /* by depth; [0] is 0 */
    size_t depth;
    size_t name_bytes_left; /* joined names cost memory that the line alone does not bound */
};

/* A key that stands in the line as it is, and is fit to be a name. */
static bool is_name_in_line(const struct flattener *f, struct str_view key)
{
    size_t from = (size_t)(key.p - f->in.text.p);
    return scan_is_name(f->in.text, from, from + key.len);
}

/* The name of a member: its key behind the prefix.  Empty when both are. */
static bool join_name(struct flattener *f, struct str_view key, bool in_line, struct str_view *ret)
{
    size_t prefix = f->prefix_len[f->depth];
    bool fits = in_line && is_name_in_line(f, key);
    if (prefix == 0) {
        *ret = fits ? key : label_key_sanitise(f->scratch, key);
        return true;
    }
    if (!fits)
        key = sv_trim(key);
    size_t bytes = prefix + key.len + 2;
    if (bytes > f->name_bytes_left) {
        f->in.fault = SV("names of nested members take more memory than a line may");
        return false;
    }
    f->name_bytes_left -= bytes;
    char *out = arena_alloc(f->scratch, bytes);
    memcpy(out, f->prefix, prefix);
    if (fits) {
        out[prefix++] = '_';
        memcpy(out + prefix, key.p, key.len);
        prefix += key.len;
    } else if (key.len) {
        out[prefix++] = '_';
        prefix += label_key_put(out + prefix, key, false);
    }
    *ret = sv(out, prefix);
    return true;
}

static bool push_prefix(struct flattener *f, struct str_view name)
{
    if (f->depth == DEPTH_MAX) {
        f->in.fault = SV("objects nest deeper than 1000 levels");
        return false;
    }
    if (name.len > f->prefix_cap) {
        f->prefix_cap = 2 * name.len + 64;
        f->prefix = arena_alloc(f->scratch, f->prefix_cap);
    }
    if (name.len)
        memcpy(f->prefix, name.p, name.len); /* the old prefix is its beginning */
    f->prefix_len[++f->depth] = name.len;
    return true;
}

/* Steps into the object at the cursor; false with a fault. */
static bool flatten_enter(struct flattener *f, struct str_view name)
{
    if (f->depth > 0)
        f->in.at++; /* its end was found with that of the object around it */
    else if (!json_enter(&f->in))
        return false;
    return push_prefix(f, name);
}

/* False ends the walk: the receiver has enough, or a fault. */
static bool emit_scalar(struct flattener *f, struct str_view name)
{
    struct json_value v;
    if (!json_take_value(&f->in, &v))
        return false;
    if (v.kind == JSON_ARRAY || v.kind == JSON_NULL || name.len == 0)
        return true;
    struct str_view text = v.text;
    if (v.kind == JSON_STRING && !v.plain)
        text = json_string_value(f->scratch, text);
    return f->emit(f->ctx, name, text);
}

/* One member, up to its value; an object is entered and left open. */
static bool flatten_member(struct flattener *f, bool *ret_entered)
{
    struct str_view key, name;
    bool plain;
    *ret_entered = false;
    if (!json_take_name(&f->in, &key, &plain))
        return false;
    if (!plain && !json_unescape(f->scratch, key, &key)) {
        f->in.fault = JSON_FAULT_ESCAPE;
        return false;
    }
    if (!join_name(f, key, plain, &name))
        return false;
    if (json_peek(&f->in) != '{')
        return emit_scalar(f, name);
    *ret_entered = true;
    return flatten_enter(f, name);
}

/* Behind the end of an object; true when the one around it goes on with a member. */
static bool flatten_leave(struct flattener *f)
{
    while (f->depth > 0) {
        f->depth--;
        if (json_more(&f->in, '}'))
            return true;
        if (f->in.fault.p)
            return false;
    }
    return false;
}

/* From behind the opening brace of the line's object to its end, or to a fault. */
static void flatten_members(struct flattener *f)
{
    bool more = true;
    while (more) {
        char next = json_peek(&f->in);
        if (next == '"') {
            bool entered;
            if (!flatten_member(f, &entered))
                return;
            more = entered || json_more(&f->in, '}') || (!f->in.fault.p && flatten_leave(f));
        } else if (next == '}') { /* empty, or a comma stood before it */
            f->in.at++;
            more = flatten_leave(f);
        } else {
            f->in.fault = JSON_FAULT_OBJECT;
            return;
        }
    }
}

int json_flatten(struct str_view line, struct arena *scratch, emit_fn *emit, void *ctx,
                 struct str_view *ret_details)
{
    struct flattener f;
    f.in = (struct json_cursor){.text = line};
    f.scratch = scratch;
    f.emit = emit;
    f.ctx = ctx;
    f.prefix = NULL;
    f.prefix_cap = 0;
    f.prefix_len[0] = 0;
    f.depth = 0;
    f.name_bytes_left = 16 * line.len + 4096;
    if (json_peek(&f.in) != '{') {
        *ret_details = JSON_FAULT_OBJECT;
        return LINE_E_FAULT;
    }
    f.in.at++;
    flatten_members(&f);
    if (!f.in.fault.p)
        return LINE_OK;
    *ret_details = f.in.fault;
    return LINE_E_FAULT;
}

/* ---- with expressions ---- */

/* Indexes before keys, a path before those it begins. */
static int compare_steps(const struct json_step *a, const struct json_step *b)
{
    if (!a->key.p || !b->key.p)
        return a->key.p ? 1 : b->key.p ? -1 : (a->index > b->index) - (a->index < b->index);
    return sv_cmp(a->key, b->key);
}

struct placed_path {
    struct json_path path;
    size_t place;
};

static int compare_paths(const void *a, const void *b)
{
    const struct placed_path *x = a, *y = b;
    size_t n = x->path.n < y->path.n ? x->path.n : y->path.n;
    for (size_t i = 0; i < n; i++) {
        int c = compare_steps(&x->path.v[i], &y->path.v[i]);
        if (c)
            return c;
    }
    if (x->path.n != y->path.n)
        return x->path.n > y->path.n ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

struct json_paths json_paths_new(struct arena *a, const struct json_path *paths, size_t n)
{
    struct placed_path *placed = ARENA_ARRAY(a, struct placed_path, n);
    struct json_path *sorted = ARENA_ARRAY(a, struct json_path, n);
    size_t *place = ARENA_ARRAY(a, size_t, n);
    for (size_t i = 0; i < n; i++)
        placed[i] = (struct placed_path){paths[i], i};
    qsort(placed, n, sizeof *placed, compare_paths);
    for (size_t i = 0; i < n; i++) {
        sorted[i] = placed[i].path;
        place[i] = placed[i].place;
    }
    return (struct json_paths){sorted, place, n};
}

struct extractor {
    const struct json_paths *paths;
    struct arena *scratch;
    struct str_view *values;
    size_t n_missing;
    struct str_view fault;
};

/* The paths in [from, to) have equal steps before `depth`; narrows that to those which go on with
 * this step.  False when there are none. */
static bool narrow(const struct json_paths *p, size_t depth, const struct json_step *step,
                   size_t *from, size_t *to)
{
    size_t bounds[2];
    for (int upper = 0; upper < 2; upper++) {
        size_t low = *from, high = *to;
        while (low < high) {
            size_t mid = (low + high) / 2;
            const struct json_path *path = &p->sorted[mid];
            int c = path->n <= depth ? -1 : compare_steps(&path->v[depth], step);
            if (c < upper)
                low = mid + 1;
            else
                high = mid;
        }
        bounds[upper] = low;
    }
    *from = bounds[0];
    *to = bounds[1];
    return *from < *to;
}

static struct str_view extracted_text(struct extractor *x, const struct json_value *v)
{
    switch (v->kind) {
    case JSON_STRING:
        return v->plain ? v->text : json_string_value(x->scratch, v->text);
    case JSON_ARRAY: /* its escapes are undone as if it were a string */
        return json_string_value(x->scratch, v->text);
    case JSON_NULL:
        return SV_EMPTY;
    case JSON_NUMBER:
    case JSON_BOOL:
    case JSON_OBJECT:
        break;
    }
    return v->text;
}

static void extract_from(struct extractor *x, struct str_view container, size_t depth, size_t from,
                         size_t to);

/* The value that all paths in [from, to) lead to with `depth` steps; the first one counts. */
static void extract_value(struct extractor *x, const struct json_value *v, size_t depth,
                          size_t from, size_t to)
{
    size_t i = from;
    for (; i < to && x->paths->sorted[i].n == depth; i++) {
        struct str_view *value = &x->values[x->paths->place[i]];
        if (value->p)
            continue;
        *value = extracted_text(x, v);
        x->n_missing--;
    }
    if (i < to && (v->kind == JSON_OBJECT || v->kind == JSON_ARRAY))
        extract_from(x, v->text, depth, i, to);
}

/* One member or element: its value is skipped, or looked at where a path leads there. */
static bool extract_step(struct extractor *x, struct json_cursor *c, const struct json_step *step,
                         size_t depth, size_t from, size_t to)
{
    struct json_value v;
    bool wanted = narrow(x->paths, depth, step, &from, &to);
    if (!json_take_value(c, &v)) {
        if (wanted)
            x->fault = c->fault;
        return false;
    }
    if (wanted)
        extract_value(x, &v, depth + 1, from, to);
    return !x->fault.p;
}

/* Looks through the container that the text starts with, up to its end or the first fault. */
static void extract_from(struct extractor *x, struct str_view container, size_t depth, size_t from,
                         size_t to)
{
    struct json_cursor c = {.text = container};
    bool object = json_peek(&c) == '{';
    char closing = object ? '}' : ']';
    c.at++;
    if (json_peek(&c) == closing)
        return;
    for (size_t index = 0; x->n_missing > 0; index++) {
        struct json_step step = {{NULL, 0}, index};
        bool plain = true;
        if (object && (json_peek(&c) != '"' || !json_take_name(&c, &step.key, &plain)))
            return;
        if (!plain && !json_unescape(x->scratch, step.key, &step.key))
            return;
        if (!extract_step(x, &c, &step, depth, from, to) || !json_more(&c, closing))
            return;
    }
}

int json_extract(struct str_view line, const struct json_paths *paths, struct arena *scratch,
                 struct str_view *values, struct str_view *ret_details)
{
    struct extractor x = {paths, scratch, values, paths->n, {NULL, 0}};
    memset(values, 0, paths->n * sizeof *values);
    *ret_details = (struct str_view){NULL, 0};
    if (line.len == 0)
        return LINE_OK;
    if (!memchr("{[\"", line.p[0], 3))
        return LINE_E_FAULT;
    if (line.p[0] != '"')
        extract_from(&x, line, 0, 0, paths->n);
    *ret_details = x.fault;
    return x.fault.p ? LINE_E_FAULT : LINE_OK;
}
