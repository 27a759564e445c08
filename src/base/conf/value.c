/* SPDX-License-Identifier: Apache-2.0 */
/* The scalars of the configuration: text to value and back.  Nothing is guessed: a unit where none
 * belongs, or none where one belongs, is an error that shows the text. */
#include "base/conf/conf.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "base/values.h"

enum { SHOWN_BYTES = 80 };

static struct str_view shown(struct str_view text)
{
    return sv_sub(text, 0, SHOWN_BYTES);
}

int conf_parse_bool(struct str_view text, bool *ret, struct err *err)
{
    static const char *const words[] = {"true",  "1", "t", "yes", "on",
                                        "false", "0", "f", "no",  "off"};
    enum { N_YES = 5, N_WORDS = sizeof words / sizeof words[0] };
    size_t word = sv_which_nocase(text, words, N_WORDS);
    if (word == N_WORDS)
        return err_set(err, ERR_INVALID, "'%.*s' is not true or false", SV_ARG(shown(text)));
    *ret = word < N_YES;
    return 0;
}

int conf_parse_int(struct str_view text, int64_t *ret, struct err *err)
{
    struct str_view digits = text;
    if (digits.len > 1 && digits.p[0] == '+')
        digits = sv_from(digits, 1);
    if (!sv_to_i64(digits, ret))
        return err_set(err, ERR_INVALID, "'%.*s' is not a whole number", SV_ARG(shown(text)));
    return 0;
}

int conf_parse_uint(struct str_view text, uint64_t *ret, struct err *err)
{
    if (!sv_to_u64(text, ret))
        return err_set(err, ERR_INVALID, "'%.*s' is not a whole number of 0 or more",
                       SV_ARG(shown(text)));
    return 0;
}

/* Nothing of number_parse() but decimals: no hexadecimal, no underscores, no infinity. */
static bool is_decimal(struct str_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.p[i]) && !memchr("+-.eE", text.p[i], 5))
            return false;
    return text.len < 64;
}

int conf_parse_float(struct str_view text, double *ret, struct err *err)
{
    if (is_decimal(text) && number_parse(text, ret, NULL) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "'%.*s' is not a number", SV_ARG(shown(text)));
}

int conf_parse_duration(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (duration_parse_go(text, ret_ns, NULL) < 0)
        return err_set(err, ERR_INVALID, "'%.*s' is not a duration such as 1h30m, 15s or 250ms",
                       SV_ARG(shown(text)));
    return 0;
}

int conf_parse_prom_duration(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (duration_parse_prom(text, ret_ns, NULL) < 0 && duration_parse_go(text, ret_ns, NULL) < 0)
        return err_set(err, ERR_INVALID, "'%.*s' is not a duration such as 30d, 1h30m or 250ms",
                       SV_ARG(shown(text)));
    return 0;
}

int conf_parse_size(struct str_view text, uint64_t *ret_bytes, struct err *err)
{
    if (!bytesize_parse_binary(text, ret_bytes))
        return err_set(err, ERR_INVALID, "'%.*s' is not a size such as 256KB, 1.5MB or 100",
                       SV_ARG(shown(text)));
    return 0;
}

void conf_put_prom_duration(struct buf *out, int64_t ns)
{
    if (ns < 0 || ns % NS_PER_MS != 0)
        buf_put_duration_go(out, ns); /* cannot be said in whole milliseconds */
    else
        buf_put_duration_prom(out, ns);
}

void conf_put_size(struct buf *out, uint64_t bytes)
{
    static const char letters[] = "KMGTP";
    int unit = -1;
    while (bytes && bytes % 1024 == 0 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    buf_printf(out, "%llu", (unsigned long long)bytes);
    if (unit >= 0)
        buf_put_u8(out, (uint8_t)letters[unit]);
    buf_put_u8(out, 'B');
}
