/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the elements ("Jan", "02", "-07:00", ".000") in one of Go's layouts; the same for printing
 * and for reading. */
#include "template/gotime/layout.h"

#include "base/ascii.h"

/* Longest first where one begins another. */
static const struct {
    const char *text;
    enum gotime_element e;
} ELEMENTS[] = {
    {"January", E_LONG_MONTH},
    {"Jan", E_MONTH},
    {"Monday", E_LONG_DAY},
    {"Mon", E_WEEKDAY},
    {"MST", E_ZONE_NAME},
    {"2006", E_LONG_YEAR},
    {"01", E_ZERO_MONTH},
    {"002", E_ZERO_YEARDAY},
    {"02", E_ZERO_DAY},
    {"03", E_ZERO_HOUR12},
    {"04", E_ZERO_MINUTE},
    {"05", E_ZERO_SECOND},
    {"06", E_YEAR},
    {"15", E_HOUR},
    {"1", E_NUM_MONTH},
    {"2", E_DAY},
    {"__2", E_BLANK_YEARDAY},
    {"_2006", E_NONE},
    {"_2", E_BLANK_DAY},
    {"3", E_HOUR12},
    {"4", E_MINUTE},
    {"5", E_SECOND},
    {"PM", E_UPPER_PM},
    {"pm", E_LOWER_PM},
    {"Z07:00:00", E_Z_COLON_SECONDS},
    {"Z070000", E_Z_SECONDS},
    {"Z07:00", E_Z_COLON},
    {"Z0700", E_Z},
    {"Z07", E_Z_SHORT},
    {"-07:00:00", E_OFF_COLON_SECONDS},
    {"-070000", E_OFF_SECONDS},
    {"-07:00", E_OFF_COLON},
    {"-0700", E_OFF},
    {"-07", E_OFF_SHORT},
};

/* .000 or ,999: a fraction, when no digit follows. */
size_t gotime_fraction_length(struct str_view s, enum gotime_element *ret)
{
    if (s.len < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9'))
        return 0;
    size_t n = 1;
    while (n < s.len && s.p[n] == s.p[1])
        n++;
    if (n < s.len && ascii_is_digit(s.p[n]))
        return 0;
    *ret = s.p[1] == '0' ? E_FRACTION_FIXED : E_FRACTION_TRIMMED;
    return n;
}

size_t gotime_element_at(struct str_view s, enum gotime_element *ret)
{
    for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++) {
        struct str_view text = sv_of(ELEMENTS[i].text);
        if (!sv_starts_with(s, text))
            continue;
        if (ELEMENTS[i].e == E_MONTH && s.len > 3 && ascii_is_lower(s.p[3]))
            return 0; /* "January" was tried before: another word */
        if (ELEMENTS[i].e == E_NONE) {
            *ret = E_NONE; /* "_2006": the underscore is text */
            return 0;
        }
        *ret = ELEMENTS[i].e;
        return text.len;
    }
    return gotime_fraction_length(s, ret);
}
