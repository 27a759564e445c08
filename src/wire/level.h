/* SPDX-License-Identifier: Apache-2.0 */
/* level.h - which level a log line has: detected_level.
 * It runs once for every line that comes in, so a plain line costs one pass over its bytes.
 * Threads: pure; names are read-only once made. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/str_view.h"

enum level {
    LEVEL_NONE, /* not a known level */
    LEVEL_TRACE,
    LEVEL_DEBUG,
    LEVEL_INFO,
    LEVEL_WARN,
    LEVEL_ERROR,
    LEVEL_CRITICAL,
    LEVEL_FATAL,
    LEVEL_UNKNOWN,
    LEVEL_N,
};

/* Names of fields, prepared for comparing; shares the strings. */
struct level_names;
struct level_names *level_names_new(struct arena *a, const struct str_view *names, size_t n);

/* "WARNING", "wrn" -> LEVEL_WARN; LEVEL_NONE for what is no level's name. */
enum level level_parse(struct str_view text);
/* OpenTelemetry's severity number as text. */
enum level level_of_severity_number(struct str_view text);
/* From the line alone: a field of JSON or logfmt, else the first word that is a level, else
 * LEVEL_UNKNOWN.  json_depth 0: any. */
enum level level_of_line(const struct level_names *names, unsigned json_depth,
                         struct str_view line);
/* The first of these fields in a JSON or logfmt line, as written there. */
bool level_line_field(const struct level_names *names, unsigned json_depth, struct str_view line,
                      struct str_view *ret);
struct str_view level_text(enum level level);
/* Encoded labels (model/labels.h) of {detected_level=<text>}: one constant each. */
struct str_view level_metadata(enum level level);

/* The first word that is a level's, or LEVEL_NONE; the two agree on every input. */
enum level level_first_word(struct str_view line);
enum level level_first_word_portable(struct str_view line);
