/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per event on stderr, logfmt: ts=... level=info msg="..." key=value.
 * Values are quoted and escaped where they need it, so a line stays one line whatever is in it.
 *     LOG_INFO("segment written", log_str("path", path), log_uint("bytes", n));
 * Promise: a line reaches stderr in one write; lines are cut at 8 KiB.
 * Threads: any thread, any time; the level is atomic.  Levels 0-3 of the tree log at debug only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str_view.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_kind { LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_UINT, LOG_KIND_DURATION, LOG_KIND_FLOAT };
struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        struct str_view str;
        int64_t i;
        uint64_t u;
        double f;
    };
};

static inline struct log_field log_sv(const char *key, struct str_view v)
{
    return (struct log_field){.key = key, .kind = LOG_KIND_STR, .str = v};
}
static inline struct log_field log_str(const char *key, const char *v)
{
    return log_sv(key, sv_of(v ? v : ""));
}
static inline struct log_field log_int(const char *key, int64_t v)
{
    return (struct log_field){.key = key, .kind = LOG_KIND_INT, .i = v};
}
static inline struct log_field log_uint(const char *key, uint64_t v)
{
    return (struct log_field){.key = key, .kind = LOG_KIND_UINT, .u = v};
}
static inline struct log_field log_float(const char *key, double v)
{
    return (struct log_field){.key = key, .kind = LOG_KIND_FLOAT, .f = v};
}
/* Nanoseconds, printed as 1.5s, 20ms, 3µs. */
static inline struct log_field log_duration(const char *key, int64_t ns)
{
    return (struct log_field){.key = key, .kind = LOG_KIND_DURATION, .i = ns};
}

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_enabled(enum log_level level);
const char *log_level_name(enum log_level level);
/* "debug", "info", "warn", "error"; false on anything else. */
bool log_level_parse(struct str_view text, enum log_level *ret);
/* Where lines go; 2 at start.  For tests. */
void log_set_fd(int fd);

void log_write(enum log_level level, const char *msg, const struct log_field *fields,
               unsigned n_fields);

#define LOG_AT(level, msg, ...)                                                                    \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field fields_[] = {{0}, ##__VA_ARGS__};                               \
            log_write((level), (msg), fields_ + 1, sizeof fields_ / sizeof fields_[0] - 1);        \
        }                                                                                          \
    } while (0)
#define LOG_DEBUG(msg, ...) LOG_AT(LOG_LEVEL_DEBUG, msg, ##__VA_ARGS__)
#define LOG_INFO(msg, ...) LOG_AT(LOG_LEVEL_INFO, msg, ##__VA_ARGS__)
#define LOG_WARN(msg, ...) LOG_AT(LOG_LEVEL_WARN, msg, ##__VA_ARGS__)
#define LOG_ERROR(msg, ...) LOG_AT(LOG_LEVEL_ERROR, msg, ##__VA_ARGS__)
