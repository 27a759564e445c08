/* SPDX-License-Identifier: Apache-2.0 */
/* unpack, decolorize and ip over any line.  Properties: unpack changes the line only together with
 * an entry, and a fault changes nothing; decolorize only deletes; ip finds what it was given. */
#include "emitted.h"
#include "lines/decolorize.h"
#include "lines/ip.h"
#include "lines/unpack.h"

static void check_unpack(struct str_view line)
{
    static struct emitted e;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view out = SV_EMPTY, details = SV_EMPTY;
    e.n = 0;
    int r = unpack_line(line, &a, collect_emitted, &e, &out, &details);
    assert(r == LINE_OK || (r == LINE_E_FAULT && details.len > 0));
    if (r == LINE_E_FAULT || sv_find(line, SV("_")) == SIZE_MAX)
        assert(r == LINE_OK || (sv_eq(out, line) && e.n == 0));
    for (size_t i = 0; i < e.n; i++)
        assert(e.names[i].len > 0);
    assert(sv_eq(out, line) || is_utf8(out));
}

static void check_decolorize(struct str_view line)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view out = decolorize(line, &a);
    size_t k = 0;
    for (size_t i = 0; i < line.len && k < out.len; i++)
        if (line.p[i] == out.p[k])
            k++;
    assert(k == out.len);
    if (memchr(line.p, 0x1b, line.len) == NULL && sv_find(line, SV("\xc2\x9b")) == SIZE_MAX)
        assert(sv_eq(line, out));
}

static void check_ip(struct str_view line)
{
    struct ip_range all_v4, all_v6, given;
    struct ip ip;
    assert(ip_range_parse(SV("0.0.0.0/0"), &all_v4, NULL) == 0);
    assert(ip_range_parse(SV("::/0"), &all_v6, NULL) == 0);
    bool any = ip_range_in_text(&all_v4, line) || ip_range_in_text(&all_v6, line);
    if (ip_range_parse(line, &given, NULL) == 0) {
        assert(given.from.is_v6 == given.to.is_v6);
        assert(ip_range_has(&given, &given.from) && ip_range_has(&given, &given.to));
    }
    if (ip_parse(line, &ip) && !ip.is_v6)
        assert(any && ip_range_in_text(&all_v4, line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view line = sv((const char *)data, len);
    check_unpack(line);
    if (len)
        check_decolorize(line);
    check_ip(line);
    return 0;
}
