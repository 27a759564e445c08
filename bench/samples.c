/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <dirent.h>
#include <stdio.h>

static uint64_t rng_state = 0x9e3779b97f4a7c15u;

uint64_t rnd(void)
{
    uint64_t x = rng_state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

size_t load_samples(const char *folder, struct sample *samples)
{
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    size_t n_samples = 0;
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]->d_name);
        if (len > 4 && !strcmp(names[i]->d_name + len - 4, ".log") && n_samples < MAX_SAMPLES) {
            struct sample *s = &samples[n_samples++];
            *s = (struct sample){.text = BUF_INIT};
            snprintf(s->name, sizeof s->name, "%.*s",
                     (int)sv_find_byte(sv_of(names[i]->d_name), '_'), names[i]->d_name);
            CLEANUP(buf_deinit) struct buf path = BUF_INIT;
            buf_printf(&path, "%s/%s", folder, names[i]->d_name);
            FILE *f = fopen(path.p, "rb");
            char piece[65536];
            for (size_t got; f && (got = fread(piece, 1, sizeof piece, f)) > 0;)
                buf_put_bytes(&s->text, piece, got);
            if (f)
                fclose(f);
            for (struct str_view rest = buf_view(&s->text); rest.len;) {
                size_t end = sv_find_byte(rest, '\n');
                struct str_view line = sv_sub(rest, 0, end);
                if (line.len && line.p[line.len - 1] == '\r')
                    line.len--;
                s->lines = mem_grow(s->lines, &s->cap_lines, s->n_lines + 1, sizeof *s->lines);
                s->lines[s->n_lines++] = line;
                rest = sv_from(rest, end + 1);
            }
        }
        free(names[i]);
    }
    free(names);
    return n_samples;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void put_varied(struct buf *out, struct str_view line)
{
    size_t base = out->len;
    buf_put(out, line);
    char *p = out->p + base;
    for (size_t i = 0; i < line.len;) {
        size_t end = i;
        bool digits_only = true, any_digit = false;
        for (; end < line.len && is_hex(p[end]); end++) {
            bool digit = p[end] >= '0' && p[end] <= '9';
            digits_only &= digit;
            any_digit |= digit;
        }
        size_t run = end - i;
        if (any_digit && (digits_only ? run >= 4 : run >= 8))
            for (size_t k = i + run / 2; k < end; k++)
                p[k] = digits_only ? (char)('0' + rnd() % 10) : "0123456789abcdef"[rnd() % 16];
        i = end + (end == i);
    }
}

static const char *const PATHS[] = {"/api/v1/orders", "/api/v1/users", "/login",  "/cart/items",
                                    "/health",        "/search",       "/assets", "/checkout"};
static const char *const METHODS[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
static const unsigned STATUSES[] = {200, 200, 200, 200, 201, 204, 301, 400, 404, 500, 503};
static const char *const LEVELS[] = {"info", "info", "info", "debug", "warn", "error"};

void put_json(struct buf *out)
{
    buf_printf(out,
               "{\"level\":\"%s\",\"method\":\"%s\",\"path\":\"%s/%u\",\"status\":%u,"
               "\"bytes\":%u,\"took_ms\":%u.%02u,\"remote\":\"10.%u.%u.%u\","
               "\"trace_id\":\"%016llx%016llx\"}",
               LEVELS[rnd() % 6], METHODS[rnd() % 6], PATHS[rnd() % 8], (unsigned)(rnd() % 5000),
               STATUSES[rnd() % 11], (unsigned)(rnd() % 90000), (unsigned)(rnd() % 900),
               (unsigned)(rnd() % 100), (unsigned)(rnd() % 4), (unsigned)(rnd() % 256),
               (unsigned)(rnd() % 256), (unsigned long long)rnd(), (unsigned long long)rnd());
}

void put_logfmt(struct buf *out)
{
    buf_printf(out,
               "level=%s caller=%s.go:%u msg=\"request handled\" method=%s path=%s status=%u "
               "duration=%u.%ums size=%ukB user=u%u request_id=%016llx",
               LEVELS[rnd() % 6], rnd() % 2 ? "http" : "middleware", (unsigned)(rnd() % 400),
               METHODS[rnd() % 6], PATHS[rnd() % 8], STATUSES[rnd() % 11], (unsigned)(rnd() % 2000),
               (unsigned)(rnd() % 10), (unsigned)(rnd() % 700), (unsigned)(rnd() % 10000),
               (unsigned long long)rnd());
}
