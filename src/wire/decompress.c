/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/decompress.h"

#include <snappy-c.h>
#include <zlib.h>

#include "base/bytes.h"

static int too_large(struct err *err, uint64_t got, uint64_t max)
{
    return err_set(err, ERR_TOO_LARGE,
                   "decompressed message size too large than max (%llu vs %llu); see "
                   "distributor.max_decompressed_size",
                   (unsigned long long)got, (unsigned long long)max);
}

static char *alloc(const struct reserve *reserve, struct arena *a, uint64_t bytes, struct err *err)
{
    if (reserve_take(reserve, bytes))
        return arena_alloc(a, (size_t)bytes);
    err_set(err, ERR_UNAVAILABLE,
            "too many in-flight bytes: decompressing this push needs %llu more; try again, or "
            "raise distributor.max_inflight_bytes or the memory ceiling",
            (unsigned long long)bytes);
    return NULL;
}

/* ---- snappy ---- */

/* A copy element of three bytes yields at most 64, so no block grows more than this. */
enum { SNAPPY_MAX_RATIO = 22 };
/* A literal of one byte may be written with a length of four. */
enum { SNAPPY_MAX_WASTE = 6, SNAPPY_PREAMBLE_BYTES = 10 };

uint64_t snappy_max_block_bytes(uint64_t text_bytes)
{
    return text_bytes > UINT32_MAX ? UINT64_MAX
                                   : text_bytes * SNAPPY_MAX_WASTE + SNAPPY_PREAMBLE_BYTES;
}

/* The length that a block claims; false when it has none. */
static bool claimed_bytes(struct str_view in, uint64_t *ret)
{
    struct reader r = reader_of(in);
    *ret = rd_varint(&r);
    return !r.bad && *ret <= UINT32_MAX;
}

int decompress_snappy(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                      struct arena *a, struct str_view *ret, struct err *err)
{
    uint64_t claimed;
    if (!claimed_bytes(in, &claimed))
        return err_set(err, ERR_INVALID, "snappy: corrupt input");
    if (claimed > max_bytes)
        return too_large(err, claimed, max_bytes);
    if (claimed > (uint64_t)in.len * SNAPPY_MAX_RATIO)
        return err_set(err, ERR_INVALID, "snappy: corrupt input");
    size_t len = (size_t)claimed;
    char *out = alloc(reserve, a, len, err);
    if (!out)
        return ERR_UNAVAILABLE;
    if (snappy_uncompress(in.p, in.len, out, &len) != SNAPPY_OK || len != claimed)
        return err_set(err, ERR_INVALID, "snappy: corrupt input");
    *ret = sv(out, len);
    return 0;
}

/* ---- gzip and deflate ---- */

enum { WINDOW_GZIP = 15 + 16, WINDOW_RAW = -15 };

struct inflating {
    z_stream z;
    char *out;
    uint64_t cap, len, max_bytes;
    const struct reserve *reserve;
    struct arena *a;
};

/* Room for more output; the old piece stays in the arena until the request ends. */
static int grow(struct inflating *f, struct err *err)
{
    if (f->cap > f->max_bytes)
        return too_large(err, f->cap, f->max_bytes);
    uint64_t cap = f->cap * 2;
    if (cap > f->max_bytes + 1)
        cap = f->max_bytes + 1; /* one over: a longer text shows itself */
    char *out = alloc(f->reserve, f->a, cap, err);
    if (!out)
        return ERR_UNAVAILABLE;
    memcpy(out, f->out, (size_t)f->len);
    f->out = out;
    f->cap = cap;
    return 0;
}

static int inflate_some(struct inflating *f, struct str_view *rest)
{
    enum { PIECE = 1 << 30 };
    size_t in = rest->len < PIECE ? rest->len : PIECE;
    uint64_t room = f->cap - f->len < PIECE ? f->cap - f->len : PIECE;
    memcpy(&f->z.next_in, &rest->p, sizeof rest->p); /* zlib's pointer is not const */
    f->z.avail_in = (uInt)in;
    f->z.next_out = (Bytef *)f->out + f->len;
    f->z.avail_out = (uInt)room;
    int r = inflate(&f->z, Z_NO_FLUSH);
    *rest = sv_from(*rest, in - f->z.avail_in);
    f->len += room - f->z.avail_out;
    return r;
}

static int inflate_all(struct inflating *f, struct str_view in, bool gzip, struct err *err)
{
    const char *name = gzip ? "gzip" : "flate";
    bool in_header = true;
    for (;;) {
        int r = inflate_some(f, &in);
        if (r == Z_STREAM_END) {
            if (!gzip || in.len == 0)
                return 0;
            inflateReset(&f->z);
            in_header = true;
        } else if (r == Z_MEM_ERROR) {
            return err_set(err, ERR_UNAVAILABLE, "%s: no memory", name);
        } else if (r != Z_OK && r != Z_BUF_ERROR) {
            bool header = in_header && gzip && f->z.total_out == 0 && f->z.total_in < 10;
            return err_set(err, ERR_INVALID, "%s: %s", name,
                           header ? "invalid header" : "corrupt input");
        } else if (f->len == f->cap) {
            r = grow(f, err);
            if (r < 0)
                return r;
        } else if (in.len == 0) {
            return err_set(err, ERR_INVALID, "unexpected EOF");
        }
    }
}

/* How long the text of the last gzip member was, by its trailer; 0 when there is none or no text
 * can be so long.  Else it is true (modulo 4 GiB) or the member is corrupt. */
static uint64_t last_member_bytes(struct str_view in)
{
    enum { SHORTEST_MEMBER = 18, DEFLATE_MAX_RATIO = 1032 };
    uint64_t said = in.len >= SHORTEST_MEMBER ? ld_le32(in.p + in.len - 4) : 0;
    return said <= (uint64_t)in.len * DEFLATE_MAX_RATIO ? said : 0;
}

static uint64_t first_capacity(struct str_view in, bool gzip, uint64_t max_bytes)
{
    uint64_t cap = (uint64_t)in.len * 4 + 256, said = gzip ? last_member_bytes(in) : 0;
    if (said > 0 && said <= (uint64_t)in.len * 64)
        cap = said + 1;
    return cap < max_bytes + 1 ? cap : max_bytes + 1;
}

static int decompress_zlib(struct str_view in, bool gzip, uint64_t max_bytes,
                           const struct reserve *reserve, struct arena *a, struct str_view *ret,
                           struct err *err)
{
    if (max_bytes > UINT64_MAX / 4)
        max_bytes = UINT64_MAX / 4; /* so that nothing below wraps */
    struct inflating f = {.max_bytes = max_bytes, .reserve = reserve, .a = a};
    if (in.len == 0)
        return err_set(err, ERR_INVALID, gzip ? "EOF" : "unexpected EOF");
    if (gzip && last_member_bytes(in) > max_bytes) /* without trying it out */
        return too_large(err, last_member_bytes(in), max_bytes);
    f.cap = first_capacity(in, gzip, max_bytes);
    f.out = alloc(reserve, a, f.cap, err);
    if (!f.out)
        return ERR_UNAVAILABLE;
    if (inflateInit2(&f.z, gzip ? WINDOW_GZIP : WINDOW_RAW) != Z_OK)
        return err_set(err, ERR_UNAVAILABLE, "inflate: no memory");
    int r = inflate_all(&f, in, gzip, err);
    inflateEnd(&f.z);
    if (r == 0 && f.len > max_bytes)
        r = too_large(err, f.len, max_bytes);
    if (r == 0)
        *ret = sv(f.out, (size_t)f.len);
    return r;
}

int decompress_gzip(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                    struct arena *a, struct str_view *ret, struct err *err)
{
    return decompress_zlib(in, true, max_bytes, reserve, a, ret, err);
}

int decompress_deflate(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                       struct arena *a, struct str_view *ret, struct err *err)
{
    return decompress_zlib(in, false, max_bytes, reserve, a, ret, err);
}
