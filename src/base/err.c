/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int err_setv(struct err *err, int code, const char *fmt, va_list ap)
{
    assert(code < 0);
    if (!err)
        return code;
    err->code = code;
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_setv(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int err_context(struct err *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    char prefix[ERR_TEXT_BYTES], whole[2 * ERR_TEXT_BYTES + 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof whole, "%s: %s", prefix, err->text);
    whole[sizeof err->text - 1] = '\0';
    memcpy(err->text, whole, sizeof err->text);
    err->code = code;
    return code;
}

int err_blame_index(struct err *err, int result)
{
    if (result != ERR_CORRUPT)
        return result;
    return err_context(err, ERR_BAD_INDEX, "the index or the catalog, not the segment, is damaged");
}
