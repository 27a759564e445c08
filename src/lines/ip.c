/* SPDX-License-Identifier: Apache-2.0 */
/* Where an address may begin in a text is guessed from a few bytes; from there the longest run of
 * address characters is taken whole, or not at all: "10.0.0.1." is no address.  An IPv4 address in
 * IPv6 clothes is IPv6. */
#include "lines/ip.h"

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/go_quote.h"
#include "model/labels.h"

static bool parse_v4(struct str_view text, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        size_t n = sv_find_byte(text, '.');
        uint64_t octet;
        bool last = i == 3, leading_zero = n > 1 && text.p[0] == '0';
        if (n > 3 || leading_zero || (n == text.len) != last ||
            !sv_to_u64(sv_sub(text, 0, n), &octet) || octet > 255)
            return false;
        out[i] = (uint8_t)octet;
        text = sv_from(text, n + 1);
    }
    return true;
}

/* One to four hex digits. */
static bool parse_group(struct str_view text, uint8_t out[2])
{
    unsigned v = 0;
    if (text.len == 0 || text.len > 4)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int d = ascii_hex_value(text.p[i]);
        if (d < 0)
            return false;
        v = v * 16 + (unsigned)d;
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return true;
}

/* Groups parted by single colons, an IPv4 tail allowed.  Returns how many bytes, -1 when wrong. */
static int parse_groups(struct str_view text, uint8_t out[16], bool may_end_v4)
{
    int n = 0;
    if (text.len == 0)
        return 0;
    for (;;) {
        size_t len = sv_find_byte(text, ':');
        struct str_view group = sv_sub(text, 0, len);
        bool last = len == text.len;
        if (last && may_end_v4 && sv_find_byte(group, '.') < group.len)
            return n <= 12 && parse_v4(group, out + n) ? n + 4 : -1;
        if (n > 14 || !parse_group(group, out + n))
            return -1;
        n += 2;
        if (last)
            return n;
        text = sv_from(text, len + 1);
    }
}

static bool parse_v6(struct str_view text, uint8_t out[16])
{
    uint8_t tail[16];
    size_t gap = sv_find(text, SV("::"));
    memset(out, 0, 16);
    if (gap == SIZE_MAX)
        return parse_groups(text, out, true) == 16;
    int head_bytes = parse_groups(sv_sub(text, 0, gap), out, false);
    int tail_bytes = parse_groups(sv_from(text, gap + 2), tail, true);
    /* The gap stands for at least one group. */
    if (head_bytes < 0 || tail_bytes < 0 || head_bytes + tail_bytes > 14)
        return false;
    memcpy(out + 16 - tail_bytes, tail, (size_t)tail_bytes);
    return true;
}

bool ip_parse(struct str_view text, struct ip *ret)
{
    enum { LONGEST = 45 }; /* six groups and an IPv4 tail */
    if (text.len > LONGEST)
        return false;
    memset(ret, 0, sizeof *ret);
    ret->is_v6 = sv_find_byte(text, ':') < text.len;
    return ret->is_v6 ? parse_v6(text, ret->bytes) : parse_v4(text, ret->bytes);
}

/* Clears or sets the host bits. */
static void fill_host_bits(struct ip *ip, unsigned prefix_bits, bool value)
{
    unsigned all = ip->is_v6 ? 128 : 32;
    for (unsigned bit = prefix_bits; bit < all; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
        if (value)
            ip->bytes[bit / 8] |= mask;
        else
            ip->bytes[bit / 8] &= (uint8_t)~mask;
    }
}

static bool parse_cidr(struct str_view address, struct str_view bits, struct ip_range *ret)
{
    uint64_t n;
    if (!ip_parse(address, &ret->from) || !sv_to_u64(bits, &n) || bits.len > 3 ||
        (bits.len > 1 && bits.p[0] == '0') || n > (ret->from.is_v6 ? 128 : 32))
        return false;
    ret->to = ret->from;
    fill_host_bits(&ret->from, (unsigned)n, false);
    fill_host_bits(&ret->to, (unsigned)n, true);
    return true;
}

static bool parse_range(struct str_view text, struct ip_range *ret)
{
    size_t at = sv_find_byte(text, '-');
    if (at < text.len)
        return ip_parse(sv_sub(text, 0, at), &ret->from) &&
               ip_parse(sv_from(text, at + 1), &ret->to) && ret->from.is_v6 == ret->to.is_v6 &&
               memcmp(ret->from.bytes, ret->to.bytes, 16) <= 0;
    at = sv_find_byte(text, '/');
    if (at < text.len)
        return parse_cidr(sv_sub(text, 0, at), sv_from(text, at + 1), ret);
    if (!ip_parse(text, &ret->from))
        return false;
    ret->to = ret->from;
    return true;
}

int ip_range_parse(struct str_view text, struct ip_range *ret, struct err *err)
{
    struct ip_range range;
    if (parse_range(text, &range)) {
        *ret = range;
        return 0;
    }
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    go_quote(&b, sv_sub(text, 0, 200));
    return err_set(err, ERR_INVALID, "ip: invalid pattern: %.*s", SV_ARG(buf_view(&b)));
}

bool ip_range_has(const struct ip_range *range, const struct ip *ip)
{
    return range->from.is_v6 == ip->is_v6 && memcmp(range->from.bytes, ip->bytes, 16) <= 0 &&
           memcmp(ip->bytes, range->to.bytes, 16) <= 0;
}

static bool starts_like_v4(struct str_view s)
{
    return s.len >= 4 && ascii_is_digit(s.p[0]) &&
           (s.p[1] == '.' || s.p[2] == '.' || s.p[3] == '.');
}

static bool starts_like_v6(struct str_view s)
{
    if (s.len >= 3 && s.p[0] == ':')
        return s.p[1] == ':' && ascii_hex_value(s.p[2]) >= 0;
    size_t n = 0;
    while (n < s.len && n < 5 && ascii_hex_value(s.p[n]) >= 0)
        n++;
    return n >= 1 && n <= 4 && n < s.len && s.p[n] == ':';
}

static size_t run_of_v4(struct str_view s)
{
    size_t n = 0;
    while (n < s.len && (ascii_is_digit(s.p[n]) || s.p[n] == '.'))
        n++;
    return n;
}

static size_t run_of_v6(struct str_view s)
{
    size_t n = 0;
    while (n < s.len && (ascii_hex_value(s.p[n]) >= 0 || s.p[n] == ':' || s.p[n] == '.'))
        n++;
    return n;
}

bool ip_range_in_text(const struct ip_range *range, struct str_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct str_view rest = sv_from(text, i);
        size_t run =
            starts_like_v4(rest) ? run_of_v4(rest) : (starts_like_v6(rest) ? run_of_v6(rest) : 0);
        struct ip ip;
        if (run > 0 && ip_parse(sv_sub(rest, 0, run), &ip) && ip_range_has(range, &ip))
            return true;
        i += run;
    }
    return false;
}
