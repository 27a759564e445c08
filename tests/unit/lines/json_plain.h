/* SPDX-License-Identifier: Apache-2.0 */
/* json_plain.h - flattening the simple way, to compare with: the end of a nested object is looked
 * for before it is entered, pairs go out as they are met, nothing is read in a hurry. */
#pragma once
#include <string.h>

#include "base/arena.h"
#include "lines/byte_scan.h"
#include "lines/emit.h"
#include "lines/json_text.h"
#include "lines/label_key.h"

enum { PLAIN_DEPTH_MAX = 1000 };

struct plain_walk {
    struct json_cursor in;
    struct arena *scratch;
    emit_fn *emit;
    void *ctx;
    char *prefix; /* of the object we are in, sanitised; in the scratch arena */
    size_t prefix_cap;
    size_t prefix_len[PLAIN_DEPTH_MAX + 1]; /* by depth; [0] is 0 */
    size_t depth;
    size_t name_bytes_left; /* joined names cost memory that the line alone does not bound */
};

/* A key that stands in the line as it is, and is fit to be a name. */
static bool plain_is_name_in_line(const struct plain_walk *f, struct str_view key)
{
    size_t from = (size_t)(key.p - f->in.text.p);
    return scan_is_name(f->in.text, from, from + key.len);
}

/* The name of a member: its key behind the prefix.  Empty when both are. */
static bool plain_join_name(struct plain_walk *f, struct str_view key, bool in_line,
                            struct str_view *ret)
{
    size_t prefix = f->prefix_len[f->depth];
    bool fits = in_line && plain_is_name_in_line(f, key);
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

static bool plain_push_prefix(struct plain_walk *f, struct str_view name)
{
    if (f->depth == PLAIN_DEPTH_MAX) {
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
static bool plain_enter(struct plain_walk *f, struct str_view name)
{
    if (f->depth > 0) {
        f->in.at++; /* its end was found with that of the object around it */
    } else if (!json_object_ends(f->in.text, f->in.at++)) {
        f->in.fault = JSON_FAULT_OBJECT;
        return false;
    }
    return plain_push_prefix(f, name);
}

/* False ends the walk: the receiver has enough, or a fault. */
static bool plain_emit_scalar(struct plain_walk *f, struct str_view name)
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
static bool plain_member(struct plain_walk *f, bool *ret_entered)
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
    if (!plain_join_name(f, key, plain, &name))
        return false;
    if (json_peek(&f->in) != '{')
        return plain_emit_scalar(f, name);
    *ret_entered = true;
    return plain_enter(f, name);
}

/* Behind the end of an object; true when the one around it goes on with a member. */
static bool plain_leave(struct plain_walk *f)
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
static void plain_members(struct plain_walk *f)
{
    bool more = true;
    while (more) {
        char next = json_peek(&f->in);
        if (next == '"') {
            bool entered;
            if (!plain_member(f, &entered))
                return;
            more = entered || json_more(&f->in, '}') || (!f->in.fault.p && plain_leave(f));
        } else if (next == '}') { /* empty, or a comma stood before it */
            f->in.at++;
            more = plain_leave(f);
        } else {
            f->in.fault = JSON_FAULT_OBJECT;
            return;
        }
    }
}

__attribute__((unused)) static int json_flatten_plainly(struct str_view line, struct arena *scratch,
                                                        emit_fn *emit, void *ctx,
                                                        struct str_view *ret_details)
{
    struct plain_walk f;
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
    plain_members(&f);
    if (!f.in.fault.p)
        return LINE_OK;
    *ret_details = f.in.fault;
    return LINE_E_FAULT;
}
