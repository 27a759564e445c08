/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/chunk.h"
#include "chunk/filter.h"

int chunk_meta_check(const struct chunk_meta *m, uint64_t part_bytes, struct err *err)
{
    uint64_t payload = chunk_payload_bytes(m);
    bool sizes_ok = m->rows >= 1 && m->rows <= CHUNK_MAX_ROWS && m->raw_bytes >= m->rows &&
                    m->raw_bytes <= CHUNK_LIMIT_RAW_BYTES && m->sm_bytes <= CHUNK_LIMIT_SM_BYTES &&
                    m->section_bytes[CHUNK_TS] && m->section_bytes[CHUNK_LEN] &&
                    m->section_bytes[CHUNK_LIN];
    bool place_ok = m->offset <= part_bytes && payload <= part_bytes - m->offset;
    bool filter_ok = m->filter_bits == 0 ||
                     (filter_bits_valid(m->filter_bits) && m->filter_offset <= part_bytes &&
                      (m->filter_bits + 7) / 8 <= part_bytes - m->filter_offset);
    if (!sizes_ok || !place_ok || !filter_ok || m->min_ts_ns > m->max_ts_ns)
        return err_set(err, ERR_CORRUPT, "chunk of %u rows at %llu: bad description", m->rows,
                       (unsigned long long)m->offset);
    return 0;
}

enum chunk_level chunk_level_of(struct str_view value)
{
    static const struct {
        struct str_view name;
        enum chunk_level level;
    } levels[] = {
        {{"trace", 5}, CHUNK_LEVEL_TRACE}, {{"debug", 5}, CHUNK_LEVEL_DEBUG},
        {{"info", 4}, CHUNK_LEVEL_INFO},   {{"warn", 4}, CHUNK_LEVEL_WARN},
        {{"error", 5}, CHUNK_LEVEL_ERROR}, {{"critical", 8}, CHUNK_LEVEL_CRITICAL},
        {{"fatal", 5}, CHUNK_LEVEL_FATAL}, {{"unknown", 7}, CHUNK_LEVEL_UNKNOWN},
    };
    if (value.len == 0)
        return CHUNK_LEVEL_ABSENT;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (sv_eq(value, levels[i].name))
            return levels[i].level;
    return CHUNK_LEVEL_OTHER;
}
