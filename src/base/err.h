/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - what went wrong: a code and a text on the caller's stack.
 * Functions return 0 done, < 0 failed (the code, err filled), > 0 a named outcome to handle.
 * Codes: -errno for the system's failures, one of ERR_* for our own; every `struct err *` may be
 * NULL.  Texts longer than the field are cut, never an error.  Not shared between threads. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

enum err_code {
    ERR_INVALID = -10001,      /* the input is wrong: 400 */
    ERR_NO_STREAMS = -10002,   /* a push without streams: 422 */
    ERR_TOO_LARGE = -10003,    /* the input is over a size limit: 413 */
    ERR_RATE_LIMITED = -10004, /* over a rate or count limit, try later: 429 */
    ERR_UNAUTHORISED = -10005, /* no tenant: 401 */
    ERR_NOT_FOUND = -10006,    /* 404 */
    ERR_TIMEOUT = -10007,      /* the deadline passed: 504 */
    ERR_CANCELLED = -10008,    /* the client went away: 499 */
    ERR_UNAVAILABLE = -10009,  /* shedding load, starting or stopping: 503 */
    ERR_OVER_BUDGET = -10010,  /* a query's memory or series budget: 400 */
    ERR_CORRUPT = -10011,      /* bytes that do not decode or check: 500 */
    ERR_UNSUPPORTED = -10012,  /* a version or codec this build does not know: 500 */
    ERR_DISK_FULL = -10013,    /* the disk watermark: 503 */
    ERR_BAD_INDEX = -10014,    /* index or catalog do not decode, so no segment is to blame: 500 */
};

enum { ERR_TEXT_BYTES = 1024 };

struct err {
    int code;
    char text[ERR_TEXT_BYTES];
};
#define ERR_INIT ((struct err){0})

/* Sets code and text, returns code (which must be < 0). */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_setv(struct err *err, int code, const char *fmt, va_list ap);
/* Puts "<context>: " before the text that is there, returns code. */
int err_context(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* ERR_CORRUPT met while an index or the catalog is written, as ERR_BAD_INDEX; other results stay.
 */
int err_blame_index(struct err *err, int result);
