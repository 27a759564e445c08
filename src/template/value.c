/* SPDX-License-Identifier: Apache-2.0 */
/* Values while a template runs: truth, type names, members of maps, and how Go prints each (%v). */
#include "template/value.h"

#include <math.h>

#include "base/num.h"

bool tv_truth(const struct tvalue *v)
{
    switch (v->kind) {
    case TK_NIL:
        return false;
    case TK_BOOL:
        return v->b;
    case TK_INT:
    case TK_MONTH:
    case TK_WEEKDAY:
        return v->i != 0;
    case TK_FLOAT:
        return v->f != 0;
    case TK_STRING:
        return v->s.len != 0;
    case TK_TIME:
        return true;
    case TK_LIST:
        return v->list.n != 0;
    case TK_MAP:
        return v->map.n != 0;
    }
    return false;
}

const char *tv_name(const struct tvalue *v)
{
    return v->kind == TK_MONTH ? GOTIME_MONTHS[v->i - 1] : GOTIME_DAYS[v->i];
}

const char *tv_type_name(const struct tvalue *v)
{
    switch (v->kind) {
    case TK_NIL:
        return "nil";
    case TK_BOOL:
        return "bool";
    case TK_INT:
        return v->octet ? "uint8" : v->wide ? "int64" : "int";
    case TK_FLOAT:
        return "float64";
    case TK_STRING:
        return "string";
    case TK_TIME:
        return "time.Time";
    case TK_MONTH:
        return "time.Month";
    case TK_WEEKDAY:
        return "time.Weekday";
    case TK_LIST:
        return "[]interface {}";
    case TK_MAP:
        return v->of_text ? "map[string]string" : "map[string]interface {}";
    }
    return "";
}

struct tvalue tv_map_get(const struct tvalue *map, struct str_view key)
{
    size_t low = 0, high = map->map.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = sv_cmp(map->map.v[mid].key, key);
        if (c == 0)
            return map->map.v[mid].value;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return map->of_text ? tv_string(SV_EMPTY) : TV_NIL;
}

void tv_put_float(struct buf *out, double f)
{
    char digits[NUM_SHORTEST_DIGITS];
    int n = 0, exponent = 0;
    if (isfinite(f))
        n = num_shortest(fabs(f), digits, &exponent);
    if (exponent >= -4 && exponent < 6) {
        num_put_float(out, f);
        return;
    }
    if (signbit(f))
        buf_put_u8(out, '-');
    buf_put_u8(out, (uint8_t)digits[0]);
    if (n > 1) {
        buf_put_u8(out, '.');
        buf_put_bytes(out, digits + 1, (size_t)n - 1);
    }
    buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void print_inside(struct buf *out, const struct tvalue *v)
{
    if (v->kind == TK_NIL)
        buf_put(out, SV("<nil>"));
    else
        tv_print(out, v);
}

void tv_print(struct buf *out, const struct tvalue *v)
{
    switch (v->kind) {
    case TK_NIL:
        buf_put(out, SV("<no value>"));
        break;
    case TK_BOOL:
        buf_put(out, v->b ? SV("true") : SV("false"));
        break;
    case TK_INT:
        buf_printf(out, "%lld", (long long)v->i);
        break;
    case TK_FLOAT:
        tv_put_float(out, v->f);
        break;
    case TK_STRING:
        buf_put(out, v->s);
        break;
    case TK_MONTH:
    case TK_WEEKDAY:
        buf_put(out, sv_of(tv_name(v)));
        break;
    case TK_TIME:
        gotime_format(out, v->t, SV("2006-01-02 15:04:05.999999999 -0700 MST"));
        break;
    case TK_LIST:
        buf_put_u8(out, '[');
        for (size_t i = 0; i < v->list.n; i++) {
            if (i)
                buf_put_u8(out, ' ');
            print_inside(out, &v->list.v[i]);
        }
        buf_put_u8(out, ']');
        break;
    case TK_MAP:
        buf_put(out, SV("map["));
        for (size_t i = 0; i < v->map.n; i++) {
            if (i)
                buf_put_u8(out, ' ');
            buf_put(out, v->map.v[i].key);
            buf_put_u8(out, ':');
            print_inside(out, &v->map.v[i].value);
        }
        buf_put_u8(out, ']');
        break;
    }
}
