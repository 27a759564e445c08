/* SPDX-License-Identifier: Apache-2.0 */
/* `| json` with expressions. */
#include "lines/json.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "lines/json_text.h"

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
