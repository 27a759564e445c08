/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/thread.h"

enum { MAX_FILE_BYTES = 64 << 10, MAX_ZONES = 1000, HEADER_BYTES = 44, TYPE_BYTES = 6 };

struct zone_type {
    int32_t offset_s;
    uint8_t name_at;
};

struct tz {
    struct tz *next;
    char name[64];
    bool known;
    size_t n_changes, n_types, n_names;
    int64_t *changes; /* rising */
    uint8_t *types_at;
    struct zone_type *types;
    char *names;
};

static struct mutex mu = MUTEX_INIT;
static struct tz *zones; /* guarded by mu; entries never leave */
static size_t n_zones;

static uint32_t be32(const char *p)
{
    return __builtin_bswap32(ld_le32(p));
}

/* The second, 64-bit block of a TZif file. */
static bool zone_decode(struct tz *z, struct str_view file)
{
    struct reader r = reader_of(file);
    for (int block = 0; block < 2; block++) {
        struct str_view h = rd_bytes(&r, HEADER_BYTES);
        if (r.bad || memcmp(h.p, "TZif", 4) || h.p[4] < '2')
            return false;
        uint64_t n_utc = be32(h.p + 20), n_std = be32(h.p + 24), n_leap = be32(h.p + 28),
                 n_changes = be32(h.p + 32), n_types = be32(h.p + 36), n_names = be32(h.p + 40);
        uint64_t wide = block ? 8 : 4;
        struct str_view changes = rd_bytes(&r, n_changes * wide), at = rd_bytes(&r, n_changes),
                        types = rd_bytes(&r, n_types * TYPE_BYTES), names = rd_bytes(&r, n_names);
        rd_bytes(&r, n_leap * (wide + 4) + n_std + n_utc);
        if (r.bad || n_types == 0)
            return false;
        if (block == 0)
            continue;
        z->n_changes = changes.len / 8;
        z->n_types = types.len / TYPE_BYTES;
        z->n_names = names.len;
        z->changes = mem_alloc(z->n_changes * sizeof *z->changes);
        z->types_at = mem_alloc(z->n_changes);
        z->types = mem_alloc(z->n_types * sizeof *z->types);
        z->names = mem_zalloc(names.len + 1, 1);
        memcpy(z->names, names.p, names.len);
        memcpy(z->types_at, at.p, at.len);
        for (size_t i = 0; i < z->n_changes; i++)
            z->changes[i] = (int64_t)__builtin_bswap64(ld_le64(changes.p + i * 8));
        for (size_t i = 0; i < z->n_types; i++) {
            const char *t = types.p + i * TYPE_BYTES;
            z->types[i] = (struct zone_type){(int32_t)be32(t), (uint8_t)t[5]};
        }
    }
    return true;
}

static bool name_is_safe(struct str_view name)
{
    if (name.len == 0 || name.len >= sizeof((struct tz *)0)->name || name.p[0] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        if (!ascii_is_word(c) && c != '-' && c != '+' && c != '/')
            return false; /* no dots: the path stays below the database */
    }
    return true;
}

static void zone_load(struct tz *z, const char *path)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT;
    z->known =
        file_read_whole(path, MAX_FILE_BYTES, &file, NULL) == 0 && zone_decode(z, buf_view(&file));
}

static const struct tz *find(struct str_view name, const char *path)
{
    MUTEX_GUARD(&mu);
    for (struct tz *z = zones; z; z = z->next)
        if (sv_eq(sv_of(z->name), name))
            return z->known ? z : NULL;
    if (n_zones == MAX_ZONES)
        return NULL;
    struct tz *z = mem_zalloc(1, sizeof *z);
    memcpy(z->name, name.p, name.len);
    zone_load(z, path);
    z->next = zones;
    zones = z;
    n_zones++;
    return z->known ? z : NULL;
}

const struct tz *tz_find(struct str_view name)
{
    if (!name_is_safe(name))
        return NULL;
    char path[128];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", SV_ARG(name));
    return find(name, path);
}

const struct tz *tz_local(void)
{
    const char *name = getenv("TZ");
    if (name && *name == ':')
        name++;
    return name ? tz_find(sv_of(name)) : find(SV("localtime"), "/etc/localtime");
}

void tz_at(const struct tz *tz, int64_t unix_s, int32_t *ret_offset_s, char ret_abbreviation[8])
{
    *ret_offset_s = 0;
    memcpy(ret_abbreviation, "UTC", 4);
    if (!tz)
        return;
    size_t low = 0, high = tz->n_changes; /* changes[0..low) are at or before unix_s */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (tz->changes[mid] <= unix_s)
            low = mid + 1;
        else
            high = mid;
    }
    size_t type = low ? tz->types_at[low - 1] : 0;
    if (type >= tz->n_types)
        return;
    *ret_offset_s = tz->types[type].offset_s;
    if (tz->types[type].name_at < tz->n_names)
        snprintf(ret_abbreviation, 8, "%.7s", tz->names + tz->types[type].name_at);
}
