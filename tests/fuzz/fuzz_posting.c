/* SPDX-License-Identifier: Apache-2.0 */
/* A posting: its list, its sum into a set and its meeting with one agree; what decodes comes back
 * when it is encoded again.  The input is taken as it is, and with its checksum put right. */
#include <assert.h>

#include "base/crc32c.h"
#include "store/index/sids.h"

enum { KEY = 77 }; /* a CRC of what it stands under */
static uint16_t list[POSTING_MAX], again[POSTING_MAX];

static void check(struct str_view record, uint32_t high, uint32_t n_sids)
{
    struct sid_set set, none;
    struct err err = ERR_INIT;
    uint32_t n = 0, n_again = 0;
    sid_set_init(&set, n_sids, false);
    sid_set_init(&none, n_sids, false);
    int decoded = posting_decode(record, KEY, list, &n, &err);
    int added = posting_add_to(record, KEY, high, &set, NULL);
    int meets_none = posting_meets(record, KEY, high, &none, NULL);
    assert(meets_none <= 0);
    if (decoded == 0) {
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        for (uint32_t i = 1; i < n; i++)
            assert(list[i] > list[i - 1]);
        posting_encode(&b, KEY, list, n);
        assert(posting_decode(buf_view(&b), KEY, again, &n_again, NULL) == 0 && n_again == n);
        assert(memcmp(list, again, n * sizeof *list) == 0);
        assert(meets_none == 0);
        assert((added == 0) == (((uint64_t)high << 16) + list[n - 1] < n_sids));
        if (added == 0) {
            assert(sid_set_count(&set) == n);
            assert(posting_meets(record, KEY, high, &set, NULL) == 1);
        }
    } else {
        assert(err.code < 0 && err.text[0]);
    }
    sid_set_deinit(&set);
    sid_set_deinit(&none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 4)
        return 0;
    uint32_t high = data[0] & 3, n_sids = (uint32_t)data[1] << 10 | data[2];
    struct str_view input = sv((const char *)data + 3, len - 3);
    check(input, high, n_sids);
    if (input.len < 8)
        return 0;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put(&b, input);
    st_le32(b.p + 4, crc32c_extend(crc32c_extend(KEY, sv_sub(input, 0, 4)), sv_from(input, 8)));
    check(buf_view(&b), high, n_sids);
    return 0;
}
