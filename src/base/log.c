/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_BYTES = 8192 };

static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic int log_fd = STDERR_FILENO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* A line under construction: what does not fit is dropped, room for the newline is kept. */
struct line {
    char text[LINE_BYTES];
    size_t len;
};

static void line_put(struct line *l, const char *p, size_t len)
{
    size_t room = LINE_BYTES - 1 - l->len;
    if (len > room)
        len = room;
    memcpy(l->text + l->len, p, len);
    l->len += len;
}

static void line_put_str(struct line *l, const char *s)
{
    line_put(l, s, strlen(s));
}

static bool needs_quotes(struct str_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return true;
    }
    return v.len == 0;
}

static void line_put_value(struct line *l, struct str_view v)
{
    if (!needs_quotes(v)) {
        line_put(l, v.p, v.len);
        return;
    }
    line_put(l, "\"", 1);
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        char escaped[8];
        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c == '\n')
            snprintf(escaped, sizeof escaped, "\\n");
        else if (c < ' ' || c == 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", c);
        else
            snprintf(escaped, sizeof escaped, "%c", c);
        line_put_str(l, escaped);
    }
    line_put(l, "\"", 1);
}

static void put_duration(struct line *l, int64_t ns)
{
    char text[48];
    double v = (double)ns;
    if (ns >= NS_PER_S || ns <= -NS_PER_S)
        snprintf(text, sizeof text, "%.4gs", v / (double)NS_PER_S);
    else if (ns >= NS_PER_MS || ns <= -NS_PER_MS)
        snprintf(text, sizeof text, "%.4gms", v / (double)NS_PER_MS);
    else
        snprintf(text, sizeof text, "%.4gµs", v / (double)NS_PER_US);
    line_put_str(l, text);
}

static void line_put_field(struct line *l, const struct log_field *f)
{
    char number[48];
    line_put(l, " ", 1);
    line_put_str(l, f->key);
    line_put(l, "=", 1);
    switch (f->kind) {
    case LOG_KIND_STR:
        line_put_value(l, f->str);
        return;
    case LOG_KIND_DURATION:
        put_duration(l, f->i);
        return;
    case LOG_KIND_INT:
        snprintf(number, sizeof number, "%lld", (long long)f->i);
        break;
    case LOG_KIND_UINT:
        snprintf(number, sizeof number, "%llu", (unsigned long long)f->u);
        break;
    case LOG_KIND_FLOAT:
        snprintf(number, sizeof number, "%g", f->f);
        break;
    }
    line_put_str(l, number);
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields,
               unsigned n_fields)
{
    struct line l;
    l.len = 0;
    char ts[CLOCK_TEXT_BYTES];
    line_put_str(&l, "ts=");
    line_put(&l, ts, (size_t)clock_rfc3339(clock_wall_ns() / NS_PER_MS * NS_PER_MS, ts));
    line_put_str(&l, " level=");
    line_put_str(&l, log_level_name(level));
    line_put_str(&l, " msg=");
    line_put_value(&l, sv_of(msg));
    for (unsigned i = 0; i < n_fields; i++)
        line_put_field(&l, &fields[i]);
    l.text[l.len++] = '\n';
    int saved_errno = errno;
    ssize_t r;
    do
        r = write(atomic_load(&log_fd), l.text, l.len);
    while (r < 0 && errno == EINTR);
    errno = saved_errno; /* a full or closed stderr must not change what the caller sees */
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return level >= log_get_level();
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(struct str_view text, enum log_level *ret)
{
    enum { N_LEVELS = sizeof level_names / sizeof level_names[0] };
    size_t level = sv_which(text, level_names, N_LEVELS);
    if (level < N_LEVELS)
        *ret = (enum log_level)level;
    return level < N_LEVELS;
}

void log_set_fd(int fd)
{
    atomic_store(&log_fd, fd);
}
