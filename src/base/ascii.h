/* SPDX-License-Identifier: Apache-2.0 */
/* ascii.h - classes of one character, for notations that are ASCII whatever the locale: digits,
 * letters, hexadecimal.  Pure and inline.  A char, a byte or a rune fits in; what is not ASCII (a
 * char below 0 too) is in no class and is its own lower and upper case. */
#pragma once
#include <stdbool.h>

static inline bool ascii_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_octal(int c)
{
    return c >= '0' && c <= '7';
}

static inline bool ascii_is_lower(int c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_upper(int c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_letter(int c)
{
    return ascii_is_lower(c | 0x20); /* 0x20 makes a capital small, and no other a letter */
}

static inline bool ascii_is_alnum(int c)
{
    return ascii_is_digit(c) || ascii_is_letter(c);
}

/* A letter, a digit or `_`. */
static inline bool ascii_is_word(int c)
{
    return ascii_is_alnum(c) || c == '_';
}

static inline int ascii_lower(int c)
{
    return ascii_is_upper(c) ? c | 0x20 : c;
}

static inline int ascii_upper(int c)
{
    return ascii_is_lower(c) ? c & ~0x20 : c;
}

/* What a digit of a base of at most 16 stands for, or -1. */
static inline int ascii_digit_value(int c, unsigned base)
{
    int small = c | 0x20;
    int v = ascii_is_digit(c) ? c - '0' : small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
    return v < (int)base ? v : -1;
}

static inline int ascii_hex_value(int c)
{
    return ascii_digit_value(c, 16);
}
