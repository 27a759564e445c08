/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.h - the pieces of JSON text that the json and unpack stages are made of.
 * It is read as leniently as Loki's parser reads it: numbers are not checked, containers that are
 * not looked into only need their closing bracket.  No read past the text; linear time. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/str_view.h"

enum json_kind { JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_kind kind;
    bool plain;           /* of a string: ASCII without escapes, so it is its own value */
    struct str_view text; /* a string without its quotes, a container with its brackets */
};

/* What can be wrong, with Loki's words for it. */
extern const struct str_view JSON_FAULT_OBJECT, JSON_FAULT_ARRAY, JSON_FAULT_STRING,
    JSON_FAULT_VALUE, JSON_FAULT_UNKNOWN, JSON_FAULT_ESCAPE, JSON_FAULT_JSON;

struct json_cursor {
    struct str_view text;
    size_t at;
    struct str_view fault; /* p == NULL while all is well */
};

static inline bool json_is_blank(char ch)
{
    return ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t';
}

/* Skips blanks; the byte there, or NUL at the end of the text (a NUL byte reads the same). */
static inline char json_peek(struct json_cursor *c)
{
    while (c->at < c->text.len && json_is_blank(c->text.p[c->at]))
        c->at++;
    return c->at < c->text.len ? c->text.p[c->at] : '\0';
}

/* The member name that starts at the cursor (at its quote) and the colon behind it; the name is as
 * written, still escaped unless *ret_plain. */
bool json_take_name(struct json_cursor *c, struct str_view *ret, bool *ret_plain);
/* The value at the cursor, whole. */
bool json_take_value(struct json_cursor *c, struct json_value *ret);
/* Whether the object that begins at `from` has its closing bracket. */
bool json_object_ends(struct str_view text, size_t from);
/* After a member or element: true when another one follows (the cursor is at it).  False behind
 * the closing bracket, or with the fault set. */
bool json_more(struct json_cursor *c, char closing);

/* Unescapes; the text itself when no escape stands in it.  False for an escape that is none. */
bool json_unescape(struct arena *a, struct str_view text, struct str_view *ret);
/* As a label value: unescaped, empty where that fails, cleaned of invalid UTF-8. */
struct str_view json_string_value(struct arena *a, struct str_view text);
