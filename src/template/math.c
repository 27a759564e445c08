/* SPDX-License-Identifier: Apache-2.0 */
/* Integers are 64 bits and wrap; the ...f functions compute in decimals, so 0.1 + 0.2 is 0.3. */
#include <math.h>

#include "base/num.h"
#include "template/func.h"

static int fail(struct tcall *c, const char *text)
{
    return err_set(c->err, ERR_INVALID, "%s", text);
}

typedef int int_fn(struct tcall *c, int64_t a, int64_t b, int64_t *ret);

static int fold_int(struct tcall *c, const struct tvalue *args, size_t n, int_fn *fn,
                    struct tvalue *ret)
{
    int64_t v = tv_to_int(&args[0]);
    for (size_t i = 1; i < n; i++) {
        int r = fn(c, v, tv_to_int(&args[i]), &v);
        if (r < 0)
            return r;
    }
    *ret = tv_int64(v);
    return 0;
}

static int add_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    *ret = (int64_t)((uint64_t)a + (uint64_t)b);
    return 0;
}

static int sub_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    *ret = (int64_t)((uint64_t)a - (uint64_t)b);
    return 0;
}

static int mul_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    *ret = (int64_t)((uint64_t)a * (uint64_t)b);
    return 0;
}

static int div_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    if (b == 0)
        return fail(c, "runtime error: integer divide by zero");
    *ret = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    return 0;
}

static int mod_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    if (b == 0)
        return fail(c, "runtime error: integer divide by zero");
    *ret = b == -1 ? 0 : a % b;
    return 0;
}

static int max_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    *ret = a > b ? a : b;
    return 0;
}

static int min_int(struct tcall *c, int64_t a, int64_t b, int64_t *ret)
{
    *ret = a < b ? a : b;
    return 0;
}

#define INT_FUNC(name)                                                                             \
    static int fn_##name(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret) \
    {                                                                                              \
        return fold_int(c, args, n, name##_int, ret);                                              \
    }
INT_FUNC(sub)
INT_FUNC(mul)
INT_FUNC(div)
INT_FUNC(mod)
INT_FUNC(max)
INT_FUNC(min)

static int fn_add(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_int64(0);
    return n ? fold_int(c, args, n, add_int, ret) : 0;
}

/* The shortest decimal of f, read with more digits than a double has; it knows no -0. */
static int decimal_of(struct tcall *c, const struct tvalue *v, long double *ret)
{
    char text[NUM_FLOAT_BYTES + 1];
    double f = tv_to_float(v);
    if (!isfinite(f))
        return err_set(c->err, ERR_INVALID, "cannot create a decimal from %s",
                       isnan(f) ? "NaN" : "Inf");
    text[num_float_text(f, text)] = '\0';
    *ret = f == 0 ? 0 : strtold(text, NULL);
    return 0;
}

typedef int float_fn(struct tcall *c, long double a, long double b, long double *ret);

static int fold_decimal(struct tcall *c, const struct tvalue *args, size_t n, float_fn *fn,
                        struct tvalue *ret)
{
    long double v = 0, operand;
    for (size_t i = 0; i < n; i++) {
        int r = decimal_of(c, &args[i], i ? &operand : &v);
        if (r == 0 && i)
            r = fn(c, v, operand, &v);
        if (r < 0)
            return r;
    }
    *ret = tv_float(v == 0 ? 0 : (double)v);
    return 0;
}

static int addf_float(struct tcall *c, long double a, long double b, long double *ret)
{
    *ret = a + b;
    return 0;
}

static int subf_float(struct tcall *c, long double a, long double b, long double *ret)
{
    *ret = a - b;
    return 0;
}

static int mulf_float(struct tcall *c, long double a, long double b, long double *ret)
{
    *ret = a * b;
    return 0;
}

/* Quotients are kept to 16 decimals. */
static int divf_float(struct tcall *c, long double a, long double b, long double *ret)
{
    if (b == 0)
        return fail(c, "decimal division by 0");
    long double q = a / b;
    *ret = fabsl(q) < 1e3L ? roundl(q * 1e16L) / 1e16L : q;
    return 0;
}

#define DECIMAL_FUNC(name)                                                                         \
    static int fn_##name(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret) \
    {                                                                                              \
        return fold_decimal(c, args, n, name##_float, ret);                                        \
    }
DECIMAL_FUNC(addf)
DECIMAL_FUNC(subf)
DECIMAL_FUNC(mulf)
DECIMAL_FUNC(divf)

/* NaN spreads, +0 is more than -0; an infinity of the wanted sign wins even so. */
static double larger(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (isinf(a) && a > 0) || (isinf(b) && b > 0) ? INFINITY : NAN;
    return a > b || (a == b && signbit(b)) ? a : b;
}

static int fn_maxf(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    double f = tv_to_float(&args[0]);
    for (size_t i = 1; i < n; i++)
        f = larger(f, tv_to_float(&args[i]));
    *ret = tv_float(f);
    return 0;
}

static int fn_minf(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    double f = tv_to_float(&args[0]);
    for (size_t i = 1; i < n; i++)
        f = -larger(-f, -tv_to_float(&args[i]));
    *ret = tv_float(f);
    return 0;
}

static int fn_ceil(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_float(ceil(tv_to_float(&args[0])));
    return 0;
}

static int fn_floor(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_float(floor(tv_to_float(&args[0])));
    return 0;
}

/* Up when the fraction of the scaled value is at least `on`, of the signed value. */
static int fn_round(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    double on = n > 2 ? tv_to_float(&args[2]) : 0.5, whole;
    double scale = pow(10, (double)args[1].i);
    double scaled = tv_to_float(&args[0]) * scale;
    double fraction = modf(scaled, &whole);
    *ret = tv_float((fraction >= on ? ceil(scaled) : floor(scaled)) / scale);
    return 0;
}

const struct tfunc TFUNC_MATH[] = {
    {"add", "a", true, fn_add},
    {"sub", "aa", false, fn_sub},
    {"mul", "aa", true, fn_mul},
    {"div", "aa", false, fn_div},
    {"mod", "aa", false, fn_mod},
    {"max", "aa", true, fn_max},
    {"min", "aa", true, fn_min},
    {"addf", "a", true, fn_addf},
    {"subf", "aa", true, fn_subf},
    {"mulf", "aa", true, fn_mulf},
    {"divf", "aa", true, fn_divf},
    {"maxf", "aa", true, fn_maxf},
    {"minf", "aa", true, fn_minf},
    {"ceil", "a", false, fn_ceil},
    {"floor", "a", false, fn_floor},
    {"round", "aif", true, fn_round},
    {0},
};
