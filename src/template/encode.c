/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that make a text safe to stand in HTML, a script or a URL, and base64: to and fro where
 * both exist. */
#include "base/ascii.h"
#include "base/go_quote.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "template/func.h"

/* As these functions read their operands: nil is text. */
static void sprint_printable(struct buf *out, const struct tvalue *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool text = args[i].kind == TK_STRING || args[i].kind == TK_NIL;
        if (i && !text && args[i - 1].kind != TK_STRING && args[i - 1].kind != TK_NIL)
            buf_put_u8(out, ' ');
        tv_print(out, &args[i]);
    }
}

static int fn_html(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    struct buf text = BUF_INIT;
    sprint_printable(&raw, args, n);
    for (size_t i = 0; i < raw.len; i++) {
        switch (raw.p[i]) {
        case '"':
            buf_put(&text, SV("&#34;"));
            break;
        case '\'':
            buf_put(&text, SV("&#39;"));
            break;
        case '&':
            buf_put(&text, SV("&amp;"));
            break;
        case '<':
            buf_put(&text, SV("&lt;"));
            break;
        case '>':
            buf_put(&text, SV("&gt;"));
            break;
        case '\0':
            buf_put(&text, SV("\xef\xbf\xbd"));
            break;
        default:
            buf_put_u8(&text, (uint8_t)raw.p[i]);
        }
    }
    return tfunc_text_result(c, &text, ret);
}

/* Bytes that are no character stay; characters that cannot be shown are named. */
static void put_js_rune(struct buf *out, struct str_view bytes, uint32_t c)
{
    CLEANUP(buf_deinit) struct buf quoted = BUF_INIT;
    go_quote(&quoted, bytes);
    if (quoted.p[1] == '\\')
        buf_printf(out, "\\u%04X", c);
    else
        buf_put(out, bytes);
}

static int fn_js(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    struct buf text = BUF_INIT;
    sprint_printable(&raw, args, n);
    for (struct str_view rest = buf_view(&raw); rest.len;) {
        uint32_t rune = 0;
        size_t width = utf8_decode(rest, &rune);
        unsigned char b = (unsigned char)rest.p[0];
        if (b == '\\' || b == '\'' || b == '"')
            buf_printf(&text, "\\%c", b);
        else if (b < 0x20 || b == '<' || b == '>' || b == '&' || b == '=')
            buf_printf(&text, "\\u%04X", b);
        else if (width > 1)
            put_js_rune(&text, sv_sub(rest, 0, width), rune);
        else
            buf_put_u8(&text, b);
        rest = sv_from(rest, width ? width : 1);
    }
    return tfunc_text_result(c, &text, ret);
}

static int fn_urlencode(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    struct str_view s = args[0].s;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char b = (unsigned char)s.p[i];
        bool plain = ascii_is_alnum(b) || strchr("-_.~", b);
        if (plain && b)
            buf_put_u8(&text, b);
        else if (b == ' ')
            buf_put_u8(&text, '+');
        else
            buf_printf(&text, "%%%02X", b);
    }
    return tfunc_text_result(c, &text, ret);
}

static int fn_urlquery(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    sprint_printable(&raw, args, n);
    struct tvalue text = tv_string(buf_view(&raw));
    return fn_urlencode(c, &text, 1, ret);
}

static int fn_urldecode(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    struct str_view s = args[0].s;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '%') {
            buf_put_u8(&text, s.p[i] == '+' ? ' ' : (uint8_t)s.p[i]);
            continue;
        }
        int high = i + 2 < s.len + 0 ? ascii_hex_value(s.p[i + 1]) : -1,
            low = high >= 0 ? ascii_hex_value(s.p[i + 2]) : -1;
        if (low < 0) {
            buf_deinit(&text);
            return err_set(c->err, ERR_INVALID, "invalid URL escape \"%.*s\"",
                           SV_ARG(sv_sub(s, i, 3)));
        }
        buf_put_u8(&text, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return tfunc_text_result(c, &text, ret);
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int fn_b64enc(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    struct str_view s = args[0].s;
    for (size_t i = 0; i < s.len; i += 3) {
        uint32_t v = 0;
        size_t have = s.len - i < 3 ? s.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < have ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_put_u8(&text, (uint8_t)(k <= have ? BASE64[v >> (18 - 6 * k) & 63] : '='));
    }
    return tfunc_text_result(c, &text, ret);
}

/* Padding may be missing; the text of a failure is the value, as sprig does. */
static int fn_b64dec(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    struct str_view s = args[0].s;
    uint32_t v = 0;
    size_t digits = 0, i = 0;
    for (; i < s.len && s.p[i] != '='; i++) {
        const char *hit = s.p[i] ? strchr(BASE64, s.p[i]) : NULL;
        if (s.p[i] == '\n' || s.p[i] == '\r')
            continue;
        if (!hit)
            break;
        v = v << 6 | (uint32_t)(hit - BASE64);
        if (++digits % 4 == 0) {
            char bytes[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
            buf_put_bytes(&text, bytes, 3);
        }
    }
    size_t left = digits % 4;
    bool padding_only = true;
    for (size_t k = i; k < s.len; k++)
        padding_only &= s.p[k] == '=';
    if (!padding_only || left == 1 || (s.len - i && (digits + s.len - i) % 4)) {
        buf_deinit(&text);
        *ret = tv_string(arena_printf(c->arena, "illegal base64 data at input byte %zu", i));
        return 0;
    }
    if (left >= 2)
        buf_put_u8(&text, (uint8_t)(left == 2 ? v >> 4 : v >> 10));
    if (left == 3)
        buf_put_u8(&text, (uint8_t)(v >> 2));
    return tfunc_text_result(c, &text, ret);
}

const struct tfunc TFUNC_ENCODE[] = {
    {"urlencode", "s", false, fn_urlencode},
    {"urlquery", "a", true, fn_urlquery},
    {"urldecode", "s", false, fn_urldecode},
    {"b64enc", "s", false, fn_b64enc},
    {"b64dec", "s", false, fn_b64dec},
    {"html", "a", true, fn_html},
    {"js", "a", true, fn_js},
    {0},
};
