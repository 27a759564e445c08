/* SPDX-License-Identifier: Apache-2.0 */
/* Go's grammar of number literals, with Go's words for each way of getting one wrong; a wrong one
 * is still read to its end. */
#include "logql/lex_number.h"

#include <stdio.h>

#include "base/ascii.h"

size_t duration_chars(struct str_view text)
{
    size_t n = 0;
    while (n < text.len) {
        struct str_view rest = sv_from(text, n);
        if (sv_starts_with(rest, SV("\xc2\xb5")) || sv_starts_with(rest, SV("\xce\xbc")))
            n += 2; /* the two characters for micro */
        else if (rest.p[0] && strchr("0123456789.numshdwy", rest.p[0]))
            n++;
        else
            break;
    }
    return n;
}

size_t bytesize_chars(struct str_view text)
{
    size_t n = 0;
    while (n < text.len && text.p[n] && strchr("0123456789.BikKMGTP", text.p[n]))
        n++;
    return n;
}

/* Where we are in the literal. */
struct number_cursor {
    struct str_view text;
    size_t at;
    char prefix; /* 'x', 'o', 'b', '0' for a leading zero, or NUL */
    char wrong;  /* the first digit that the base does not have */
    bool any_digit, is_float, stray_underscore;
};

static char here(const struct number_cursor *c)
{
    return c->at < c->text.len ? c->text.p[c->at] : '\0';
}

static bool is_digit_of(char ch, bool hex)
{
    return ascii_digit_value(ch, hex ? 16 : 10) >= 0;
}

static void digits(struct number_cursor *c, char max)
{
    bool hex = c->prefix == 'x' && max == 'x';
    for (; is_digit_of(here(c), hex) || here(c) == '_'; c->at++) {
        char ch = here(c);
        if (ch == '_') {
            bool after = c->at > 0 && (is_digit_of(c->text.p[c->at - 1], hex) ||
                                       (hex && (c->text.p[c->at - 1] | 0x20) == 'x'));
            bool before = c->at + 1 < c->text.len && is_digit_of(c->text.p[c->at + 1], hex);
            c->stray_underscore |= !(after && before);
            continue;
        }
        c->any_digit = true;
        if (!hex && ch > max && !c->wrong)
            c->wrong = ch;
    }
}

static const char *base_name(char prefix)
{
    return prefix == 'x'   ? "hexadecimal literal"
           : prefix == 'b' ? "binary literal"
                           : "octal literal";
}

static void read_prefix(struct number_cursor *c)
{
    if (here(c) != '0')
        return;
    char next = c->at + 1 < c->text.len ? c->text.p[c->at + 1] : '\0';
    char lower = (char)(next | 0x20);
    bool binary =
        lower == 'b' && c->at + 2 < c->text.len && is_digit_of(c->text.p[c->at + 2], false);
    if (lower == 'x' || lower == 'o' || binary) { /* 0B alone is zero bytes, not a binary number */
        c->prefix = lower;
        c->at += 2;
    } else {
        c->prefix = '0';
    }
}

static const char *read_exponent(struct number_cursor *c)
{
    char e = (char)(here(c) | 0x20);
    if (!(e == 'e' && (c->prefix == 0 || c->prefix == '0')) && !(e == 'p' && c->prefix == 'x'))
        return c->prefix == 'x' && c->is_float ? "hexadecimal mantissa requires a 'p' exponent"
                                               : NULL;
    c->at++;
    c->is_float = true;
    if (here(c) == '+' || here(c) == '-')
        c->at++;
    c->any_digit = false;
    char wrong = c->wrong;
    digits(c, '9');
    c->wrong = wrong;
    return c->any_digit ? NULL : "exponent has no digits";
}

void number_literal_scan(struct str_view text, struct number_scan *ret)
{
    struct number_cursor c = {.text = text};
    ret->fault[0] = '\0';
    const char *fault = NULL;
    read_prefix(&c);
    char max = c.prefix == 'x' ? 'x' : c.prefix == 'b' ? '1' : c.prefix ? '7' : '9';
    digits(&c, max);
    if (here(&c) == '.') {
        c.at++;
        c.is_float = true;
        if (c.prefix == 'o' || c.prefix == 'b')
            fault = "invalid radix point in literal";
        digits(&c, max);
    }
    if (!c.any_digit && !fault) {
        snprintf(ret->fault, sizeof ret->fault, "%s has no digits", base_name(c.prefix));
        ret->bytes = c.at;
        return;
    }
    const char *exponent_fault = read_exponent(&c);
    fault = fault ? fault : exponent_fault;
    if (!fault && c.stray_underscore)
        fault = "'_' must separate successive digits";
    if (!fault && c.wrong && !c.is_float)
        snprintf(ret->fault, sizeof ret->fault, "invalid digit '%c' in %s", c.wrong,
                 base_name(c.prefix));
    else if (fault)
        snprintf(ret->fault, sizeof ret->fault, "%s", fault);
    ret->bytes = c.at;
}
