/* SPDX-License-Identifier: Apache-2.0 */
/* Two walks over the object: the first looks for _entry and for faults, since nothing may be
 * emitted from a line that is broken further on, the second emits. */
#include "lines/unpack.h"

#include "lines/json_text.h"
#include "lines/label_key.h"

/* Calls fn with each member that is a string, name unescaped, value as written. */
typedef bool member_fn(void *ctx, struct str_view name, struct str_view value);

static bool for_each_string(struct json_cursor *c, struct arena *scratch, member_fn *fn, void *ctx)
{
    c->at++; /* the brace */
    for (bool more = true; more;) {
        struct str_view name;
        struct json_value v;
        bool plain;
        char next = json_peek(c);
        if (next == '}')
            return true;
        if (next != '"') {
            c->fault = JSON_FAULT_OBJECT;
            return false;
        }
        if (!json_take_name(c, &name, &plain))
            return false;
        if (!plain && !json_unescape(scratch, name, &name)) {
            c->fault = JSON_FAULT_ESCAPE;
            return false;
        }
        if (!json_take_value(c, &v))
            return false;
        if (v.kind == JSON_STRING && !fn(ctx, name, v.text))
            return true;
        more = json_more(c, '}');
    }
    return !c->fault.p;
}

struct unpacker {
    struct arena *scratch;
    emit_fn *emit;
    void *ctx;
    struct str_view entry; /* p == NULL: none */
};

static bool find_entry(void *ctx, struct str_view name, struct str_view value)
{
    struct unpacker *u = ctx;
    if (sv_eq(name, SV("_entry")))
        u->entry = value;
    return true;
}

static bool emit_other(void *ctx, struct str_view name, struct str_view value)
{
    struct unpacker *u = ctx;
    if (sv_eq(name, SV("_entry")))
        return true;
    struct str_view key = label_key_sanitise(u->scratch, name);
    return key.len == 0 || u->emit(u->ctx, key, json_string_value(u->scratch, value));
}

int unpack_line(struct str_view line, struct arena *scratch, emit_fn *emit, void *ctx,
                struct str_view *ret_line, struct str_view *ret_details)
{
    struct unpacker u = {scratch, emit, ctx, {NULL, 0}};
    struct json_cursor c = {.text = line};
    *ret_line = line;
    if (line.len == 0)
        return LINE_OK;
    if (line.p[0] != '{') {
        *ret_details = SV("expecting json object(6), but it is not");
        return LINE_E_FAULT;
    }
    /* Nothing may be emitted before the whole object has been seen to be well. */
    if (!for_each_string(&c, scratch, find_entry, &u)) {
        *ret_details = c.fault;
        return LINE_E_FAULT;
    }
    if (!u.entry.p)
        return LINE_OK;
    *ret_line = json_string_value(scratch, u.entry);
    c = (struct json_cursor){.text = line};
    for_each_string(&c, scratch, emit_other, &u);
    return LINE_OK;
}
