/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <ctype.h>
#include <zlib.h>

#include "http/request.h"

struct gzip {
    z_stream z;
};
enum { LEVEL = 1, WINDOW_BITS_GZIP = 15 + 16, MEM_LEVEL = 8, PIECE_BYTES = 32 << 10 };

/* "q=0", "q=0.000": the client says no. */
static bool is_refusal(struct str_view params)
{
    size_t at = sv_find(params, SV("q="));
    if (at == SIZE_MAX)
        return false;
    struct str_view q = sv_trim(sv_from(params, at + 2));
    for (size_t i = 0; i < q.len; i++)
        if (q.p[i] != '0' && q.p[i] != '.')
            return false;
    return q.len > 0;
}

bool gzip_accepted(struct str_view accept)
{
    bool any = false;
    while (accept.len > 0) {
        size_t comma = sv_find_byte(accept, ',');
        struct str_view item = sv_sub(accept, 0, comma);
        size_t semicolon = sv_find_byte(item, ';');
        struct str_view name = sv_trim(sv_sub(item, 0, semicolon));
        bool yes = !is_refusal(sv_from(item, semicolon));
        if (sv_eq_nocase(name, SV("gzip")))
            return yes;
        if (sv_eq(name, SV("*")))
            any = yes;
        accept = sv_from(accept, comma + 1);
    }
    return any;
}

struct gzip *gzip_new(void)
{
    struct gzip *g = mem_zalloc(1, sizeof *g);
    int r = deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW_BITS_GZIP, MEM_LEVEL, Z_DEFAULT_STRATEGY);
    assert(r == Z_OK);
    (void)r;
    return g;
}

void gzip_free(struct gzip *g)
{
    if (!g)
        return;
    deflateEnd(&g->z);
    free(g);
}

void gzip_put(struct gzip *g, struct str_view in, bool end, struct buf *out)
{
    assert(in.len <= UINT32_MAX);
    unsigned char *from;
    memcpy(&from, &in.p, sizeof from); /* zlib's next_in is not const, and not written */
    g->z.next_in = from;
    g->z.avail_in = (uInt)in.len;
    int r;
    do {
        unsigned char *to = (unsigned char *)buf_add(out, PIECE_BYTES);
        g->z.next_out = to;
        g->z.avail_out = PIECE_BYTES;
        r = deflate(&g->z, end ? Z_FINISH : Z_NO_FLUSH);
        assert(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
        out->len -= g->z.avail_out;
    } while (g->z.avail_out == 0 && r != Z_STREAM_END);
}
