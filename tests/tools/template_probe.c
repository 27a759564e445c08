/* SPDX-License-Identifier: Apache-2.0 */
/* Answers the questions of template_diff.py with src/logql; the protocol is described there. */
#include <stdio.h>
#include <stdlib.h>

#include "regex/regex.h"
#include "template/template.h"

enum { MAX_LABELS = 32 };

struct probe {
    struct label v[MAX_LABELS];
    size_t n;
    struct arena arena; /* of the labels */
    struct regex_scratch *scratch;
};

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct str_view unhex(char *word)
{
    size_t n = word && *word != '-' ? strlen(word) / 2 : 0;
    for (size_t i = 0; i < n; i++)
        word[i] = (char)(hex_digit(word[2 * i]) << 4 | hex_digit(word[2 * i + 1]));
    return sv(word ? word : "", n);
}

static void print_hex(struct str_view v)
{
    for (size_t i = 0; i < v.len; i++)
        printf("%02x", (unsigned char)v.p[i]);
}

/* They come sorted by name. */
static void read_labels(struct probe *p, char **save)
{
    arena_clear(&p->arena);
    p->n = 0;
    for (char *name; p->n < MAX_LABELS && (name = strtok_r(NULL, " \n", save)); p->n++) {
        char *value = strtok_r(NULL, " \n", save);
        p->v[p->n].name = arena_copy(&p->arena, unhex(name));
        p->v[p->n].value = arena_copy(&p->arena, unhex(value));
    }
}

static bool get(void *ctx, struct str_view name, struct str_view *ret)
{
    struct probe *p = ctx;
    for (size_t i = 0; i < p->n; i++)
        if (sv_eq(p->v[i].name, name)) {
            *ret = p->v[i].value;
            return true;
        }
    return false;
}

static struct labels all(void *ctx, struct arena *a)
{
    struct probe *p = ctx;
    return (struct labels){p->v, p->n};
}

static void answer(struct probe *p, struct str_view text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    struct template_data data = {p, get, all, SV("the l\xc3\xafne \xff with bytes"),
                                 1700000000123456789};
    struct template *t;
    if (template_parse(&a, text, &t, &err) < 0) {
        printf("P ");
        print_hex(sv_of(err.text));
    } else if (template_exec(t, &data, &a, p->scratch, &out, 8 << 20, &err) < 0) {
        printf("E ");
        print_hex(sv_of(err.text));
    } else {
        printf("O ");
        print_hex(buf_view(&out));
    }
    printf("\n");
}

int main(void)
{
    struct probe p = {.scratch = regex_scratch_new()};
    char *line = NULL, *save;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        char *what = strtok_r(line, " \n", &save);
        if (*what == 'D') {
            read_labels(&p, &save);
            printf("D\n");
        } else {
            answer(&p, unhex(strtok_r(NULL, " \n", &save)));
        }
    }
    free(line);
    arena_deinit(&p.arena);
    regex_scratch_free(p.scratch);
    return 0;
}
