/* SPDX-License-Identifier: Apache-2.0 */
/* ip.h - ip("10.0.0.0/8"): a range of addresses, and whether a text names one of them.
 * Pure; nothing allocates; matching takes time linear in the text. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"

struct ip {
    uint8_t bytes[16]; /* an IPv4 address in the first 4, the rest zero */
    bool is_v6;
};

struct ip_range {
    struct ip from, to; /* both included, of one family */
};

/* Four decimal octets without leading zeros, or RFC 4291 text; no zone, no brackets. */
bool ip_parse(struct str_view text, struct ip *ret);
/* One address, a CIDR (host bits are ignored), or from-to.  ERR_INVALID `ip: invalid pattern: "x"`.
 */
int ip_range_parse(struct str_view text, struct ip_range *ret, struct err *err);
bool ip_range_has(const struct ip_range *range, const struct ip *ip);
/* Does an address that stands somewhere in the text belong to the range? */
bool ip_range_in_text(const struct ip_range *range, struct str_view text);
