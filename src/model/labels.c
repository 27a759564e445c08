/* SPDX-License-Identifier: Apache-2.0 */
#include "model/labels.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/ascii.h"
#include "base/go_quote.h"

uint64_t labels_hash_encoded(struct str_view encoded)
{
    size_t count = 0; /* bytes of the varint that says how many pairs there are */
    while (count < encoded.len && encoded.p[count] & 0x80)
        count++;
    struct str_view pairs = sv_sub(encoded, count + 1, encoded.len);
    return XXH64(pairs.p, pairs.len, 0);
}

int labels_cmp(struct labels a, struct labels b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        int c = sv_cmp(a.v[i].name, b.v[i].name);
        if (c == 0)
            c = sv_cmp(a.v[i].value, b.v[i].value);
        if (c != 0)
            return c;
    }
    return (a.n > b.n) - (a.n < b.n);
}

struct str_view labels_get(struct labels l, struct str_view name)
{
    for (size_t i = 0; i < l.n; i++)
        if (sv_eq(l.v[i].name, name))
            return l.v[i].value;
    return (struct str_view){NULL, 0};
}

bool labels_is_name(struct str_view name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_word(name.p[i]) || (i == 0 && ascii_is_digit(name.p[i])))
            return false;
    return name.len > 0;
}

/* Few labels are the rule. */
static void insertion_sort(struct label *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct label moving = v[i];
        size_t at = i;
        for (; at > 0 && sv_cmp(v[at - 1].name, moving.name) > 0; at--)
            v[at] = v[at - 1];
        v[at] = moving;
    }
}

/* Merges v[0..left) and v[left..n), both sorted, by way of `out`. */
static void merge(struct label *v, size_t left, size_t n, struct label *out)
{
    size_t a = 0, b = left;
    for (size_t i = 0; i < n; i++)
        out[i] = b == n || (a < left && sv_cmp(v[a].name, v[b].name) <= 0) ? v[a++] : v[b++];
    memcpy(v, out, n * sizeof *v);
}

static void merge_sort(struct label *v, size_t n, size_t run)
{
    struct label *scratch = mem_alloc(n * sizeof *scratch);
    for (size_t at = 0; at < n; at += run)
        insertion_sort(v + at, n - at < run ? n - at : run);
    for (; run < n; run *= 2)
        for (size_t at = 0; at + run < n; at += 2 * run)
            merge(v + at, run, n - at < 2 * run ? n - at : 2 * run, scratch);
    free(scratch);
}

void labels_sort(struct label *v, size_t n, struct str_view *ret_duplicate)
{
    enum { FEW = 64 };
    if (n <= FEW)
        insertion_sort(v, n);
    else
        merge_sort(v, n, FEW);
    if (!ret_duplicate)
        return;
    *ret_duplicate = (struct str_view){NULL, 0};
    for (size_t i = 1; i < n && !ret_duplicate->p; i++)
        if (sv_eq(v[i - 1].name, v[i].name))
            *ret_duplicate = v[i].name;
}

void labels_encode(struct buf *out, struct labels l)
{
    buf_put_varint(out, l.n);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_str(out, l.v[i].name);
        buf_put_str(out, l.v[i].value);
    }
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

int labels_decode(struct arena *a, struct str_view encoded, struct labels *ret, struct err *err)
{
    if (encoded.len > LABELS_MAX_BYTES)
        return err_set(err, ERR_CORRUPT, "label set of %zu bytes", encoded.len);
    struct reader in = reader_of(encoded);
    uint64_t n = rd_varint(&in);
    /* A pair takes two bytes at least, so the count is bounded by the bytes. */
    if (in.bad || n > LABELS_MAX_PAIRS || n > encoded.len / 2)
        return err_set(err, ERR_CORRUPT, "label set with a bad count");
    struct label *v = arena_alloc(a, (size_t)n * sizeof *v);
    size_t canonical_bytes = varint_bytes(n);
    for (uint64_t i = 0; i < n; i++) {
        v[i].name = rd_str(&in, LABELS_MAX_BYTES);
        v[i].value = rd_str(&in, LABELS_MAX_BYTES);
        canonical_bytes += varint_bytes(v[i].name.len) + v[i].name.len;
        canonical_bytes += varint_bytes(v[i].value.len) + v[i].value.len;
        if (in.bad || v[i].name.len == 0 || v[i].value.len == 0)
            return err_set(err, ERR_CORRUPT, "label set is cut short or has an empty text");
        if (i > 0 && sv_cmp(v[i - 1].name, v[i].name) >= 0)
            return err_set(err, ERR_CORRUPT, "label set is not sorted");
    }
    if (canonical_bytes != encoded.len)
        return err_set(err, ERR_CORRUPT, "label set is not in its one form");
    *ret = (struct labels){v, (size_t)n};
    return 0;
}

void labels_print(struct buf *out, struct labels l)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0)
            buf_put(out, SV(", "));
        buf_put(out, l.v[i].name);
        buf_put_u8(out, '=');
        go_quote(out, l.v[i].value);
    }
    buf_put_u8(out, '}');
}
