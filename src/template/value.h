/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - a value while a template runs, and how Go prints it; private to this folder.
 * Strings, lists and maps borrow from the execution's arena, the template or the entry. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "template/gotime/gotime.h"

enum tkind {
    TK_NIL,
    TK_BOOL,
    TK_INT,
    TK_FLOAT,
    TK_STRING,
    TK_TIME,
    TK_MONTH, /* of .Month: a number that prints as its name */
    TK_WEEKDAY,
    TK_LIST,
    TK_MAP
};

struct tpair;
struct tvalue {
    enum tkind kind;
    bool wide;    /* TK_INT: Go's int64, which does not go where an int is wanted */
    bool octet;   /* TK_INT: Go's uint8, a byte of a text */
    bool literal; /* a number written in the template: takes the type that is wanted */
    bool of_text; /* TK_MAP: map[string]string, whose missing keys are "" */
    bool inside;  /* TK_NIL: a member or element, which must not be asked for fields */
    union {
        bool b;
        int64_t i; /* MONTH from 1, WEEKDAY from 0 (Sunday) too */
        double f;
        struct str_view s;
        struct gotime t;
        struct {
            const struct tvalue *v;
            size_t n;
        } list;
        struct {
            const struct tpair *v; /* sorted by key */
            size_t n;
        } map;
    };
};

struct tpair {
    struct str_view key;
    struct tvalue value;
};

#define TV_NIL ((struct tvalue){.kind = TK_NIL})
static inline struct tvalue tv_bool(bool b)
{
    return (struct tvalue){.kind = TK_BOOL, .b = b};
}
static inline struct tvalue tv_int(int64_t i)
{
    return (struct tvalue){.kind = TK_INT, .i = i};
}
static inline struct tvalue tv_int64(int64_t i)
{
    return (struct tvalue){.kind = TK_INT, .wide = true, .i = i};
}
static inline struct tvalue tv_octet(uint8_t i)
{
    return (struct tvalue){.kind = TK_INT, .octet = true, .i = i};
}
static inline struct tvalue tv_float(double f)
{
    return (struct tvalue){.kind = TK_FLOAT, .f = f};
}
static inline struct tvalue tv_string(struct str_view s)
{
    return (struct tvalue){.kind = TK_STRING, .s = s};
}
static inline struct tvalue tv_time(struct gotime t)
{
    return (struct tvalue){.kind = TK_TIME, .t = t};
}

bool tv_truth(const struct tvalue *v);
/* Of MONTH and WEEKDAY: "November". */
const char *tv_name(const struct tvalue *v);
const char *tv_type_name(const struct tvalue *v); /* Go's: "string", "int64", "time.Time" */
/* %v; nil is `<no value>` at the top and `<nil>` inside. */
void tv_print(struct buf *out, const struct tvalue *v);
/* Key lookup; a missing key of a text map is "". */
struct tvalue tv_map_get(const struct tvalue *map, struct str_view key);
/* Shortest digits that read back, with an exponent below 1e-4 and from 1e6 on, as `%v`. */
void tv_put_float(struct buf *out, double f);
/* fmt.Sprintf; stops past max_bytes with ERR_OVER_BUDGET. */
int tv_printf(struct buf *out, struct str_view format, const struct tvalue *args, size_t n,
              size_t max_bytes, struct err *err);
/* Any JSON text to a value: numbers are floats; false when it is not JSON. */
bool tv_from_json(struct arena *a, struct str_view text, struct tvalue *ret);
