/* SPDX-License-Identifier: Apache-2.0 */
/* Times; the local zone is the server's. */
#include "base/clock.h"
#include "base/tz.h"
#include "template/func.h"

static struct tvalue time_value(struct gotime t)
{
    return (struct tvalue){.kind = TK_TIME, .t = t};
}

static int fn_now(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = time_value(gotime_of_ns(clock_wall_ns(), tz_local()));
    return 0;
}

static int fn_date(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct gotime t;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    if (args[1].kind == TK_TIME)
        t = gotime_in(args[1].t, tz_local());
    else if (args[1].kind == TK_INT && !args[1].octet)
        t = gotime_in((struct gotime){.sec = args[1].i}, tz_local());
    else
        t = gotime_of_ns(clock_wall_ns(), tz_local());
    gotime_format(&text, t, args[0].s);
    *ret = tv_string(arena_copy(c->arena, buf_view(&text)));
    return 0;
}

static int to_date(struct str_view layout, struct str_view text, const struct tz *tz,
                   struct tvalue *ret)
{
    struct gotime t = GOTIME_ZERO;
    gotime_parse(&t, layout, text, tz);
    *ret = time_value(t);
    return 0;
}

static int fn_to_date(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return to_date(args[0].s, args[1].s, tz_local(), ret);
}

static int fn_to_date_in_zone(struct tcall *c, const struct tvalue *args, size_t n,
                              struct tvalue *ret)
{
    return to_date(args[0].s, args[2].s, tz_find(args[1].s), ret);
}

static int epoch(struct tcall *c, const struct tvalue *args, int64_t unit_ns, struct tvalue *ret)
{
    struct gotime t = args[0].t;
    /* Nanoseconds of far years wrap round, as in Go. */
    uint64_t n = (uint64_t)t.sec * (uint64_t)(1000000000 / unit_ns) + (uint64_t)(t.nsec / unit_ns);
    *ret = tv_string(arena_printf(c->arena, "%lld", (long long)n));
    return 0;
}

static int fn_unix_epoch(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return epoch(c, args, 1000000000, ret);
}

static int fn_unix_epoch_millis(struct tcall *c, const struct tvalue *args, size_t n,
                                struct tvalue *ret)
{
    return epoch(c, args, 1000000, ret);
}

static int fn_unix_epoch_nanos(struct tcall *c, const struct tvalue *args, size_t n,
                               struct tvalue *ret)
{
    return epoch(c, args, 1, ret);
}

/* The number of digits says the unit. */
static int fn_unix_to_time(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    static const struct {
        size_t digits;
        int64_t per_second; /* 0: days */
    } UNITS[] = {{5, 0}, {10, 1}, {13, 1000}, {16, 1000000}, {19, 1000000000}};
    int64_t v;
    if (!sv_to_i64(args[0].s, &v))
        return err_set(c->err, ERR_INVALID, "unable to parse time '%.*s': invalid syntax",
                       SV_ARG(sv_sub(args[0].s, 0, 100)));
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (args[0].s.len != UNITS[i].digits)
            continue;
        int64_t per = UNITS[i].per_second;
        struct gotime t = {.sec = per ? v / per : v * 86400};
        t.nsec = per ? (int32_t)(v % per * (1000000000 / per)) : 0;
        if (t.nsec < 0) {
            t.sec--;
            t.nsec += 1000000000;
        }
        *ret = time_value(gotime_in(t, tz_local()));
        return 0;
    }
    return err_set(c->err, ERR_INVALID,
                   "unable to parse time '%.*s': invalid timestamp length, expected 5, 10, 13, 16 "
                   "or 19 digits",
                   SV_ARG(sv_sub(args[0].s, 0, 100)));
}

const struct tfunc TFUNC_TIME[] = {
    {"now", "", false, fn_now},
    {"date", "sa", false, fn_date},
    {"toDate", "ss", false, fn_to_date},
    {"toDateInZone", "sss", false, fn_to_date_in_zone},
    {"unixEpoch", "t", false, fn_unix_epoch},
    {"unixEpochMillis", "t", false, fn_unix_epoch_millis},
    {"unixEpochNanos", "t", false, fn_unix_epoch_nanos},
    {"unixToTime", "s", false, fn_unix_to_time},
    {0},
};
