/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(struct span bytes, char *dst)
{
    for (size_t i = 0; i < bytes.len; i++) {
        dst[2 * i] = hex_digits[bytes.ptr[i] >> 4];
        dst[2 * i + 1] = hex_digits[bytes.ptr[i] & 15];
    }
    dst[2 * bytes.len] = '\0';
}

static bool hex_value(uint8_t digit, uint8_t *ret)
{
    if (digit >= '0' && digit <= '9')
        *ret = (uint8_t)(digit - '0');
    else if (digit >= 'a' && digit <= 'f')
        *ret = (uint8_t)(digit - 'a' + 10);
    else
        return false;
    return true;
}

bool hex_decode(struct span text, uint8_t *dst, size_t len)
{
    if (text.len % 2 != 0 || text.len / 2 != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t high, low;

        if (!hex_value(text.ptr[2 * i], &high) || !hex_value(text.ptr[2 * i + 1], &low))
            return false;
        dst[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The two alphabets of RFC 4648 by character below 128; X is no member. */
#define X 255
static const uint8_t std_values[128] = {
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, 62, X, X, X, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, X, X, X,
    X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X, X, X, X, X,
    X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X, X, X, X, X,
};
static const uint8_t url_values[128] = {
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, 62, X, X,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, X, X, X,
    X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X, X, X, X, 63,
    X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X, X, X, X, X,
};
#undef X

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t base64_value(const uint8_t values[128], uint8_t character)
{
    return character < 128 ? values[character] : 255;
}

/* Whole groups of four; any stranger among them shows in the upper bits of the sum of all. */
static bool decode_groups(const uint8_t values[128], const uint8_t *text, size_t groups, uint8_t *dst)
{
    uint32_t strange = 0;

    for (size_t i = 0; i < groups; i++, text += 4, dst += 3) {
        uint32_t a = base64_value(values, text[0]);
        uint32_t b = base64_value(values, text[1]);
        uint32_t c = base64_value(values, text[2]);
        uint32_t d = base64_value(values, text[3]);

        strange |= a | b | c | d;
        dst[0] = (uint8_t)(a << 2 | b >> 4);
        dst[1] = (uint8_t)(b << 4 | c >> 2);
        dst[2] = (uint8_t)(c << 6 | d);
    }
    return strange < 64;
}

/* The last two or three characters of a text that is no multiple of four. Bits that carry nothing must be zero. */
static bool decode_rest(const uint8_t values[128], const uint8_t *text, size_t len, uint8_t *dst)
{
    uint32_t a = base64_value(values, text[0]);
    uint32_t b = base64_value(values, text[1]);
    uint32_t c = len == 3 ? base64_value(values, text[2]) : 0;

    if ((a | b | c) > 63)
        return false;
    dst[0] = (uint8_t)(a << 2 | b >> 4);
    if (len == 2)
        return (b & 15) == 0;
    dst[1] = (uint8_t)(b << 4 | c >> 2);
    return (c & 3) == 0;
}

/* Takes the padding away; false when there is some and it is not exactly what completes a group of four. */
static bool strip_padding(struct span *text, bool wanted)
{
    size_t padding = 0;

    while (padding < 2 && text->len > 0 && text->ptr[text->len - 1] == '=') {
        text->len--;
        padding++;
    }
    if (padding == 0 && !wanted)
        return true;
    return (text->len + padding) % 4 == 0;
}

static bool decode_plain(const uint8_t values[128], struct span text, struct buf *dst)
{
    size_t groups = text.len / 4;
    size_t rest = text.len % 4;
    uint8_t *place;

    if (rest == 1)
        return false;
    place = buf_reserve(dst, groups * 3 + (rest > 0 ? rest - 1 : 0));
    if (!place)
        return false;
    if (text.len == 0)
        return true;
    return decode_groups(values, text.ptr, groups, place) &&
           (rest == 0 || decode_rest(values, text.ptr + groups * 4, rest, place + groups * 3));
}

static bool decode_pem(struct span text, struct buf *dst)
{
    CLEANUP(buf_free) struct buf packed = BUF_INIT(text.len);
    struct span rest;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c != '\r' && c != '\n' && c != ' ' && c != '\t')
            buf_byte(&packed, c);
    }
    rest = buf_as_span(&packed);
    return buf_ok(&packed) && strip_padding(&rest, true) && decode_plain(std_values, rest, dst);
}

bool base64_decode(struct span text, enum base64_kind kind, struct buf *dst)
{
    bool url;

    switch (kind) {
    case BASE64_STD:
        return strip_padding(&text, true) && decode_plain(std_values, text, dst);
    case BASE64_URL:
        return decode_plain(url_values, text, dst);
    case BASE64_JSON:
        /* A text of both alphabets fails in either. */
        url = span_find_byte(text, '-') != SIZE_MAX || span_find_byte(text, '_') != SIZE_MAX;
        return strip_padding(&text, false) && decode_plain(url ? url_values : std_values, text, dst);
    case BASE64_PEM:
        return decode_pem(text, dst);
    }
    return false;
}

void base64_encode(struct span bytes, struct buf *dst)
{
    size_t groups = bytes.len / 3;
    size_t rest = bytes.len % 3;
    size_t tail = rest == 0 ? 0 : 4;
    const uint8_t *in = bytes.ptr;
    uint8_t *out;

    if (groups > (SIZE_MAX - 4) / 4)
        return;
    out = buf_reserve(dst, groups * 4 + tail);
    if (!out)
        return;
    for (size_t i = 0; i < groups; i++, in += 3, out += 4) {
        out[0] = (uint8_t)std_alphabet[in[0] >> 2];
        out[1] = (uint8_t)std_alphabet[(in[0] & 3) << 4 | in[1] >> 4];
        out[2] = (uint8_t)std_alphabet[(in[1] & 15) << 2 | in[2] >> 6];
        out[3] = (uint8_t)std_alphabet[in[2] & 63];
    }
    if (rest == 0)
        return;
    out[0] = (uint8_t)std_alphabet[in[0] >> 2];
    out[1] = (uint8_t)std_alphabet[(in[0] & 3) << 4 | (rest == 2 ? in[1] >> 4 : 0)];
    if (rest == 2)
        out[2] = (uint8_t)std_alphabet[(in[1] & 15) << 2];
    for (size_t i = rest + 1; i < tail; i++)
        out[i] = '=';
}

size_t utf8_decode(struct span text, uint32_t *ret_code)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;
    size_t len;

    if (text.len == 0)
        return 0;
    code = text.ptr[0];
    if (code < 0x80) {
        *ret_code = code;
        return 1;
    }
    len = code >= 0xF0 && code < 0xF8 ? 4 : code >= 0xE0 && code < 0xF0 ? 3 : code >= 0xC0 && code < 0xE0 ? 2 : 0;
    if (len == 0 || len > text.len)
        return 0;
    code &= 0xFFu >> (len + 1);
    for (size_t i = 1; i < len; i++) {
        if ((text.ptr[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text.ptr[i] & 0x3F);
    }
    /* RFC 3629 section 3: no longer form than needed, no surrogates, nothing above U+10FFFF. */
    if (code < smallest[len] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *ret_code = code;
    return len;
}

size_t utf8_encode(uint32_t code, uint8_t dst[4])
{
    if (code < 0x80) {
        dst[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (uint8_t)(0xC0 | code >> 6);
        dst[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code >= 0xD800 && code <= 0xDFFF)
        return 0;
    if (code < 0x10000) {
        dst[0] = (uint8_t)(0xE0 | code >> 12);
        dst[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        dst[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    if (code > 0x10FFFF)
        return 0;
    dst[0] = (uint8_t)(0xF0 | code >> 18);
    dst[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    dst[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    dst[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

size_t utf8_valid_prefix(struct span text)
{
    size_t at = 0;

    while (at < text.len) {
        uint32_t code;
        uint64_t word;
        size_t len;

        /* Eight plain characters at a time: large documents are nearly all ASCII. */
        while (text.len - at >= sizeof(word)) {
            memcpy(&word, text.ptr + at, sizeof(word));
            if (word & UINT64_C(0x8080808080808080))
                break;
            at += sizeof(word);
        }
        if (at == text.len)
            break;
        len = utf8_decode(span_of(text.ptr + at, text.len - at), &code);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

bool text_is_utf8(struct span text)
{
    return utf8_valid_prefix(text) == text.len;
}

/*
 * What a terminal or a journal reader would act on, or hide: C0, DEL and C1 controls, line and paragraph separators,
 * bidirectional controls (Unicode UAX 9), the byte order mark and the invisible "tag" characters.
 */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E || code == 0x200F ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF ||
           (code >= 0xE0000 && code <= 0xE007F);
}

enum { PIECE_BYTES = 16 }; /* four bytes as \xNN */

/* One character (or one bad byte) made safe; returns how many bytes of rest it was. */
static size_t clean_piece(struct span rest, char piece[PIECE_BYTES], size_t *ret_len)
{
    uint32_t code = 0;
    size_t taken = utf8_decode(rest, &code);
    bool escape = taken == 0 || is_unsafe(code);
    size_t len = 0;

    if (taken == 0)
        taken = 1;
    for (size_t i = 0; i < taken; i++) {
        uint8_t byte = rest.ptr[i];

        if (!escape) {
            piece[len++] = (char)byte;
            continue;
        }
        piece[len++] = '\\';
        piece[len++] = 'x';
        piece[len++] = hex_digits[byte >> 4];
        piece[len++] = hex_digits[byte & 15];
    }
    *ret_len = len;
    return taken;
}

/* Writes pieces while they fit in room; returns the bytes written, and whether all of text was. dst may be NULL. */
static size_t clean_into(struct span text, size_t room, char *dst, bool *ret_all)
{
    size_t written = 0;
    size_t at = 0;

    while (at < text.len) {
        char piece[PIECE_BYTES];
        size_t len;
        size_t taken = clean_piece(span_of(text.ptr + at, text.len - at), piece, &len);

        if (len > room - written)
            break;
        if (dst)
            memcpy(dst + written, piece, len);
        written += len;
        at += taken;
    }
    *ret_all = at == text.len;
    return written;
}

/* The cleaned length, and the room to give clean_into so that "..." still fits when not all of text does. */
static size_t clean_measure(struct span text, size_t max, size_t *ret_room, size_t *ret_dots)
{
    bool all;
    size_t len = clean_into(text, max, NULL, &all);

    *ret_room = max;
    *ret_dots = 0;
    if (all)
        return len;
    *ret_dots = max < 3 ? max : 3;
    *ret_room = max - *ret_dots;
    return clean_into(text, *ret_room, NULL, &all) + *ret_dots;
}

void text_sanitize(struct span text, size_t max, struct buf *dst)
{
    size_t room, dots;
    size_t len = clean_measure(text, max, &room, &dots);
    uint8_t *place = buf_reserve(dst, len);
    bool all;

    if (!place || len == 0)
        return;
    (void)clean_into(text, room, (char *)place, &all);
    memset(place + len - dots, '.', dots);
}

const char *text_clean(struct span text, char *dst, size_t dst_size)
{
    size_t room, dots, len;
    bool all;

    if (dst_size == 0)
        return "";
    len = clean_measure(text, dst_size - 1, &room, &dots);
    (void)clean_into(text, room, dst, &all);
    memset(dst + len - dots, '.', dots);
    dst[len] = '\0';
    return dst;
}
