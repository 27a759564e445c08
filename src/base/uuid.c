/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/ascii.h"

struct uuid uuid_new(void)
{
    struct uuid u;
    for (size_t have = 0; have < UUID_BYTES;) {
        ssize_t n = getrandom(u.b + have, UUID_BYTES - have, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* a kernel without getrandom: nothing here could be unique */
        if (n > 0)
            have += (size_t)n;
    }
    u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
    u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
    return u;
}

static bool dash_follows(size_t byte)
{
    return byte == 3 || byte == 5 || byte == 7 || byte == 9;
}

void uuid_print(struct uuid u, char out[UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < UUID_BYTES; i++) {
        *out++ = digits[u.b[i] >> 4];
        *out++ = digits[u.b[i] & 15];
        if (dash_follows(i))
            *out++ = '-';
    }
    *out = '\0';
}

bool uuid_parse(struct str_view text, struct uuid *ret)
{
    if (text.len != UUID_TEXT_BYTES - 1)
        return false;
    struct uuid u;
    const char *p = text.p;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        int hi = ascii_hex_value(p[0]), lo = ascii_hex_value(p[1]);
        if (hi < 0 || lo < 0)
            return false;
        u.b[i] = (uint8_t)(hi << 4 | lo);
        p += 2;
        if (dash_follows(i) && *p++ != '-')
            return false;
    }
    *ret = u;
    return true;
}
