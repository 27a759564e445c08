/* SPDX-License-Identifier: Apache-2.0 */
/* PushRequest by hand: slices of the body, nothing copied.
 *   PushRequest  1 streams*      StreamAdapter  1 labels, 2 entries*
 *   EntryAdapter 1 timestamp {1 seconds, 2 nanos}, 2 line, 3 structuredMetadata* {1 name, 2 value}
 * A scalar that comes twice: the last wins; a message that comes twice merges. */
#include "base/clock.h"
#include "wire/push_build.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct message {
    const char *p, *end;
    bool bad;
};

struct field {
    uint32_t number;
    enum wire_type type;
    uint64_t varint;
    struct str_view bytes;
};

static struct message message_of(struct str_view v)
{
    return (struct message){v.p, v.p + v.len, false};
}

static uint64_t take_varint(struct message *m)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && m->p < m->end; shift += 7) {
        unsigned char byte = (unsigned char)*m->p++;
        if (shift < 64)
            v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    m->bad = true;
    return 0;
}

static struct str_view take_bytes(struct message *m, uint64_t n)
{
    if (m->bad || n > (uint64_t)(m->end - m->p)) {
        m->bad = true;
        return SV_EMPTY;
    }
    struct str_view v = sv(m->p, (size_t)n);
    m->p += n;
    return v;
}

/* The next field; false at the end or when the message is bad. */
static inline bool next_field(struct message *m, struct field *f)
{
    if (m->p == m->end || m->bad)
        return false;
    uint64_t tag = take_varint(m);
    f->varint = 0;
    f->bytes = SV_EMPTY;
    f->number = (uint32_t)(tag >> 3);
    f->type = (enum wire_type)(tag & 7);
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        m->bad = true;
    switch (f->type) {
    case WIRE_VARINT:
        f->varint = take_varint(m);
        break;
    case WIRE_64:
        take_bytes(m, 8);
        break;
    case WIRE_BYTES:
        f->bytes = take_bytes(m, take_varint(m));
        break;
    case WIRE_32:
        take_bytes(m, 4);
        break;
    default: /* groups and unassigned */
        m->bad = true;
    }
    return !m->bad;
}

/* A field that we know must have the type that we know. */
static bool want(struct message *m, const struct field *f, enum wire_type type)
{
    if (f->type != type)
        m->bad = true;
    return !m->bad;
}

static int malformed(struct push_builder *b, const char *what)
{
    return err_set(b->err, ERR_INVALID, "couldn't decode protobuf push: malformed %s", what);
}

/* ---- entries ---- */

struct timestamp {
    int64_t seconds;
    int32_t nanos;
    bool present;
};

static bool read_timestamp(struct str_view bytes, struct timestamp *ts)
{
    struct message m = message_of(bytes);
    struct field f;
    ts->present = true;
    while (next_field(&m, &f)) {
        if (f.number == 1 && want(&m, &f, WIRE_VARINT))
            ts->seconds = (int64_t)f.varint;
        else if (f.number == 2 && want(&m, &f, WIRE_VARINT))
            ts->nanos = (int32_t)f.varint;
    }
    return !m.bad;
}

/* The years 1 to 9999 are times; those that 64 bits of nanoseconds cannot hold are too old or too
 * new for any limit. */
static bool timestamp_ns(const struct timestamp *ts, int64_t *ret)
{
    enum { YEAR_1 = -62135596800, YEAR_10000 = 253402300800 };
    *ret = PUSH_TS_TOO_OLD;
    if (!ts->present)
        return true;
    if (ts->seconds < YEAR_1 || ts->seconds >= YEAR_10000 || ts->nanos < 0 || ts->nanos >= NS_PER_S)
        return false;
    int64_t ns;
    if (__builtin_mul_overflow(ts->seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, ts->nanos, &ns))
        ns = ts->seconds < 0 ? PUSH_TS_TOO_OLD : PUSH_TS_TOO_NEW;
    *ret = ns;
    return true;
}

static int read_entry(struct push_builder *b, struct str_view bytes, struct push_entry *e)
{
    struct message m = message_of(bytes);
    struct field f;
    struct timestamp ts = {0, 0, false};
    *e = (struct push_entry){.e = {0, SV_EMPTY, SV_EMPTY}};
    while (next_field(&m, &f)) {
        if (f.number == 1 && want(&m, &f, WIRE_BYTES)) {
            if (!read_timestamp(f.bytes, &ts))
                return malformed(b, "timestamp");
        } else if (f.number == 2 && want(&m, &f, WIRE_BYTES)) {
            e->e.line = f.bytes;
        } else if (f.number == 3 && want(&m, &f, WIRE_BYTES)) {
            e->e.sm = bytes; /* read again once the labels are known */
        }
    }
    if (m.bad)
        return malformed(b, "entry");
    if (!timestamp_ns(&ts, &e->e.ts_ns))
        return malformed(b, "timestamp");
    return 0;
}

static int read_pair(struct push_builder *b, struct str_view bytes)
{
    struct message m = message_of(bytes);
    struct field f;
    struct str_view name = SV_EMPTY, value = SV_EMPTY;
    while (next_field(&m, &f)) {
        if (f.number == 1 && want(&m, &f, WIRE_BYTES))
            name = f.bytes;
        else if (f.number == 2 && want(&m, &f, WIRE_BYTES))
            value = f.bytes;
    }
    return m.bad ? malformed(b, "structured metadata") : push_add_pair(b, name, value);
}

static int read_metadata(struct push_builder *b, struct str_view entry)
{
    struct message m = message_of(entry);
    struct field f;
    while (next_field(&m, &f)) {
        if (f.number != 3)
            continue;
        int r = read_pair(b, f.bytes);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- streams ---- */

static int count_entries(struct push_builder *b, struct str_view stream, size_t *ret_n,
                         struct str_view *ret_labels)
{
    struct message m = message_of(stream);
    struct field f;
    *ret_n = 0;
    *ret_labels = SV_EMPTY;
    while (next_field(&m, &f)) {
        if (f.number == 1 && want(&m, &f, WIRE_BYTES))
            *ret_labels = f.bytes;
        else if (f.number == 2 && want(&m, &f, WIRE_BYTES))
            ++*ret_n;
    }
    return m.bad ? malformed(b, "stream") : 0;
}

static int read_stream(struct push_builder *b, struct str_view bytes)
{
    size_t n, n_labels, at = 0;
    struct str_view text;
    struct label *labels;
    int r = count_entries(b, bytes, &n, &text);
    if (r == 0)
        r = push_charge(b, n, sizeof(struct push_entry));
    if (r < 0)
        return r;
    r = labels_parse(b->a, text, &labels, &n_labels, b->err);
    if (r < 0)
        return err_context(b->err, r, "couldn't parse labels");
    struct push_entry *entries = arena_alloc(b->a, n * sizeof *entries);
    struct message m = message_of(bytes);
    struct field f;
    while (next_field(&m, &f)) {
        if (f.number != 2)
            continue;
        r = read_entry(b, f.bytes, &entries[at++]);
        if (r < 0)
            return r;
    }
    return push_add_stream(b, labels, n_labels, entries, n);
}

int push_decode_proto(struct push_builder *b, struct str_view body)
{
    struct message m = message_of(body);
    struct field f;
    b->read_sm = read_metadata;
    while (next_field(&m, &f)) {
        if (f.number != 1 || !want(&m, &f, WIRE_BYTES))
            continue;
        int r = read_stream(b, f.bytes);
        if (r < 0)
            return r;
    }
    return m.bad ? malformed(b, "request") : 0;
}
