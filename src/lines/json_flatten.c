/* SPDX-License-Identifier: Apache-2.0 */
/* `| json` without expressions: one walk over the text, a look of sixteen or thirty-two bytes for
 * each name and value of the usual form; json_text.h reads all others.
 *
 * Loki looks for the end of a nested object before it looks into it, so one that breaks off yields
 * none of its members.  Here what the outermost nested object holds waits in a short list until the
 * walk has met its end; only where the walk could be mistaken about that (a fault, more members
 * than the list holds, bytes in which brackets or quotes may stand that Loki would have counted) is
 * the end looked for by itself. */
#include "base/bytes.h"
#include "lines/byte_scan.h"
#include "lines/json.h"
#include "lines/json_text.h"
#include "lines/label_key.h"

enum { DEPTH_MAX = 1000, MAX_WAITING = 32 };

struct waiting_pair {
    struct str_view name, value;
};

struct flattener {
    struct json_cursor in;
    struct arena *scratch;
    emit_fn *emit;
    void *ctx;
    char *prefix; /* of the object we are in, sanitised; in the scratch arena */
    size_t prefix_cap;
    size_t depth;
    size_t name_bytes_left; /* joined names cost memory that the line alone does not bound */
    size_t nested_at;       /* where the outermost nested object begins */
    bool waits;             /* its end has not been seen, so its pairs are kept back */
    bool stopped;           /* the receiver has enough */
    size_t n_waiting;
    struct waiting_pair waiting[MAX_WAITING];
    size_t prefix_len[DEPTH_MAX + 1]; /* by depth; [0] is 0 */
};

/* ---- pairs ---- */

static bool emit_waiting(struct flattener *f)
{
    f->waits = false;
    for (size_t i = 0; i < f->n_waiting && !f->stopped; i++)
        f->stopped = !f->emit(f->ctx, f->waiting[i].name, f->waiting[i].value);
    f->n_waiting = 0;
    return !f->stopped;
}

/* Looks for the end of the outermost nested object; false: it has none, or nothing more is wanted.
 */
static bool prove_end(struct flattener *f)
{
    if (json_object_ends(f->in.text, f->nested_at))
        return emit_waiting(f);
    f->n_waiting = 0;
    f->waits = false;
    f->in.fault = JSON_FAULT_OBJECT;
    return false;
}

static bool emit_pair(struct flattener *f, struct str_view name, struct str_view value)
{
    if (f->waits && f->n_waiting == MAX_WAITING && !prove_end(f))
        return false;
    if (f->waits) {
        f->waiting[f->n_waiting++] = (struct waiting_pair){name, value};
        return true;
    }
    f->stopped = !f->emit(f->ctx, name, value);
    return !f->stopped;
}

/* ---- names ---- */

static char *name_room(struct flattener *f, size_t bytes)
{
    if (bytes > f->name_bytes_left) {
        f->in.fault = SV("names of nested members take more memory than a line may");
        return NULL;
    }
    f->name_bytes_left -= bytes;
    return arena_alloc(f->scratch, bytes);
}

/* The key, fit as it is, behind the prefix. */
static bool join_fit(struct flattener *f, struct str_view key, struct str_view *ret)
{
    size_t prefix = f->prefix_len[f->depth];
    *ret = key;
    if (prefix == 0)
        return true;
    char *out = name_room(f, prefix + key.len + 2);
    if (!out)
        return false;
    memcpy(out, f->prefix, prefix);
    out[prefix] = '_';
    memcpy(out + prefix + 1, key.p, key.len);
    *ret = sv(out, prefix + 1 + key.len);
    return true;
}

/* Any key behind the prefix.  Empty when both are. */
static bool join_odd(struct flattener *f, struct str_view key, struct str_view *ret)
{
    size_t prefix = f->prefix_len[f->depth];
    if (prefix == 0) {
        *ret = label_key_sanitise(f->scratch, key);
        return true;
    }
    key = sv_trim(key);
    char *out = name_room(f, prefix + key.len + 2);
    if (!out)
        return false;
    memcpy(out, f->prefix, prefix);
    if (key.len) {
        out[prefix++] = '_';
        prefix += label_key_put(out + prefix, key, false);
    }
    *ret = sv(out, prefix);
    return true;
}

/* Up to the member's value. */
static bool take_any_name(struct flattener *f, struct str_view *ret)
{
    struct str_view key;
    bool plain;
    if (!json_take_name(&f->in, &key, &plain))
        return false;
    if (!plain && !json_unescape(f->scratch, key, &key)) {
        f->in.fault = JSON_FAULT_ESCAPE;
        return false;
    }
    size_t from = (size_t)(key.p - f->in.text.p);
    bool fits = plain && scan_is_name(f->in.text, from, from + key.len);
    return fits ? join_fit(f, key, ret) : join_odd(f, key, ret);
}

static inline bool take_name(struct flattener *f, struct str_view *ret)
{
    struct json_cursor *c = &f->in;
    size_t from = c->at + 1, len = scan_short_name(c->text, from);
    if (len == 0 || c->text.p[from + len + 1] != ':')
        return take_any_name(f, ret);
    c->at = from + len + 2;
    return join_fit(f, sv(c->text.p + from, len), ret);
}

/* ---- values ---- */

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
    if (f->depth == 0) {
        f->waits = true;
        f->nested_at = f->in.at;
    }
    f->in.at++;
    return push_prefix(f, name);
}

/* Whether the search for an object's end would see in this value what the walk does not. */
static bool misleads(const struct json_value *v)
{
    return v->kind != JSON_STRING &&
           (memchr(v->text.p, '{', v->text.len) ||
            (v->kind != JSON_ARRAY && memchr(v->text.p, '"', v->text.len)));
}

static bool flatten_any_scalar(struct flattener *f, struct str_view name)
{
    struct json_value v;
    if (!json_take_value(&f->in, &v))
        return false;
    if (f->waits && misleads(&v) && !prove_end(f))
        return false;
    if (v.kind == JSON_ARRAY || v.kind == JSON_NULL || name.len == 0)
        return true;
    struct str_view text = v.text;
    if (v.kind == JSON_STRING && !v.plain)
        text = json_string_value(f->scratch, text);
    return emit_pair(f, name, text);
}

/* False ends the walk: the receiver has enough, or a fault. */
static inline bool flatten_scalar(struct flattener *f, struct str_view name, char first)
{
    struct json_cursor *c = &f->in;
    size_t from = c->at, len;
    if (first == '"') {
        len = scan_plain_string(c->text, ++from);
        if (len == SIZE_MAX)
            return flatten_any_scalar(f, name);
        c->at = from + len + 1;
    } else {
        len = scan_short_number(c->text, from);
        if (len == 0)
            return flatten_any_scalar(f, name);
        c->at = from + len;
    }
    return name.len == 0 || emit_pair(f, name, sv(c->text.p + from, len));
}

/* One member, up to its value; an object is entered and left open. */
static inline bool flatten_member(struct flattener *f, bool *ret_entered)
{
    struct str_view name;
    *ret_entered = false;
    if (!take_name(f, &name))
        return false;
    char first = json_peek(&f->in);
    if (first != '{')
        return flatten_scalar(f, name, first);
    *ret_entered = true;
    return flatten_enter(f, name);
}

/* Behind the end of an object; true when the one around it goes on with a member. */
static bool flatten_leave(struct flattener *f)
{
    while (f->depth > 0) {
        f->depth--;
        if (f->depth == 0 && f->waits && !emit_waiting(f))
            return false;
        if (json_more(&f->in, '}'))
            return true;
        if (f->in.fault.p)
            return false;
    }
    return false;
}

/* Behind a member: to the next one, whichever object it is of. */
static inline bool flatten_next(struct flattener *f)
{
    struct json_cursor *c = &f->in;
    if (c->text.len - c->at >= 2 && c->text.p[c->at] == ',' && c->text.p[c->at + 1] == '"') {
        c->at++;
        return true;
    }
    return json_more(c, '}') || (!c->fault.p && flatten_leave(f));
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
            more = entered || flatten_next(f);
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
    f.waits = f.stopped = false;
    f.n_waiting = 0;
    if (json_peek(&f.in) != '{') {
        *ret_details = JSON_FAULT_OBJECT;
        return LINE_E_FAULT;
    }
    f.in.at++;
    flatten_members(&f);
    if (f.in.fault.p && f.waits)
        prove_end(&f);
    if (!f.in.fault.p || f.stopped)
        return LINE_OK;
    *ret_details = f.in.fault;
    return LINE_E_FAULT;
}
