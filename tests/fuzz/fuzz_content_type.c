/* SPDX-License-Identifier: Apache-2.0 */
/* Two headers, cut at the first newline: a verdict always comes, the same in the legacy place, and
 * blanks around the type do not change it. */
#include <assert.h>

#include "wire/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int ask(struct str_view type, struct str_view coding, bool legacy, uint8_t *ret_format)
{
    uint8_t ret_coding;
    struct err err = ERR_INIT;
    int r = push_content_type(type, coding, legacy, ret_format, &ret_coding, &err);
    assert(r == 0 ? ret_coding <= PUSH_CODING_DEFLATE : r == ERR_INVALID && err.text[0]);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(buf_deinit) struct buf blank = BUF_INIT;
    struct str_view both = sv((const char *)data, len);
    struct str_view type = sv_sub(both, 0, sv_find_byte(both, '\n'));
    struct str_view coding = sv_from(both, type.len + 1);
    uint8_t format = 0, legacy = 0, padded = 0;
    int r = ask(type, coding, false, &format);
    assert(ask(type, coding, true, &legacy) == r);
    assert(r < 0 || (format == PUSH_PROTOBUF) == (legacy == PUSH_PROTOBUF));
    buf_put(&blank, SV(" \t"));
    buf_put(&blank, type);
    buf_put(&blank, SV(" "));
    assert(ask(buf_view(&blank), coding, false, &padded) == r && padded == format);
    return 0;
}
