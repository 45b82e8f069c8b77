/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/der.h"

/* X.690 section 10.1: the shortest form. Lengths of more than four bytes are beyond every limit of ours. */
static bool read_length(struct reader *reader, size_t *ret_length)
{
    uint8_t first = read_u8(reader);
    size_t length = 0;
    unsigned int count;

    if (first < 0x80) {
        *ret_length = first;
        return !reader->failed;
    }
    count = first & 0x7fu;
    if (count == 0 || count > 4)
        return false;
    for (unsigned int i = 0; i < count; i++) {
        uint8_t byte = read_u8(reader);

        if (i == 0 && byte == 0)
            return false;
        length = length << 8 | byte;
    }
    if (reader->failed || length < 0x80)
        return false;
    *ret_length = length;
    return true;
}

bool der_next(struct reader *reader, struct der_item *ret)
{
    struct span start = reader->rest;
    struct der_item item = {.tag = read_u8(reader)};
    size_t length;

    /* Tag number 31 announces a multi-byte tag, which none of our formats has; a zero tag is BER's end of contents. */
    if (reader->failed || item.tag == 0 || (item.tag & 0x1f) == 0x1f || !read_length(reader, &length)) {
        reader->failed = true;
        return false;
    }
    item.content = read_bytes(reader, length);
    if (reader->failed)
        return false;
    item.whole = span_of(start.ptr, start.len - reader->rest.len);
    *ret = item;
    return true;
}

bool der_expect(struct reader *reader, uint8_t tag, struct span *ret_content)
{
    struct der_item item;

    if (!der_next(reader, &item))
        return false;
    if (item.tag != tag) {
        reader->failed = true;
        return false;
    }
    *ret_content = item.content;
    return true;
}

bool der_single(struct span bytes, uint8_t tag, struct span *ret_content)
{
    struct reader reader = reader_of(bytes);
    struct span content;

    if (!der_expect(&reader, tag, &content) || !reader_done(&reader))
        return false;
    *ret_content = content;
    return true;
}

enum { DER_CONSTRUCTED = 0x20, DER_MAX_DEPTH = 32 };

/* SEQUENCE and SET hold elements, every other universal type holds a value. */
static bool form_ok(uint8_t tag)
{
    bool universal = (tag & 0xc0) == 0;
    bool holds_elements = (tag & 0x1f) == 0x10 || (tag & 0x1f) == 0x11;

    return !universal || holds_elements == ((tag & DER_CONSTRUCTED) != 0);
}

/* Elements side by side, and inside the constructed ones; recursion is bounded by `depth`. */
static bool walk(struct span bytes, int depth)
{
    struct reader reader = reader_of(bytes);
    struct der_item item;

    if (depth > DER_MAX_DEPTH)
        return false;
    while (reader.rest.len > 0)
        if (!der_next(&reader, &item) || !form_ok(item.tag) ||
            ((item.tag & DER_CONSTRUCTED) != 0 && !walk(item.content, depth + 1)))
            return false;
    return true;
}

bool der_is_strict(struct span bytes)
{
    struct reader reader = reader_of(bytes);
    struct der_item item;

    return der_next(&reader, &item) && reader_done(&reader) && walk(bytes, 0);
}

bool der_peek(const struct reader *reader, uint8_t tag)
{
    return !reader->failed && reader->rest.len > 0 && reader->rest.ptr[0] == tag;
}

bool der_expect_unsigned(struct reader *reader, struct span *ret_value)
{
    struct span value;

    if (!der_expect(reader, DER_INTEGER, &value))
        return false;
    /* X.690 section 8.3.2: at least one byte; the first nine bits are not all alike. */
    if (value.len == 0 || (value.ptr[0] & 0x80) != 0 ||
        (value.len > 1 && value.ptr[0] == 0 && (value.ptr[1] & 0x80) == 0)) {
        reader->failed = true;
        return false;
    }
    *ret_value = value.ptr[0] == 0 ? span_cut(value, 1, value.len) : value;
    return true;
}

static void put_header(struct buf *buf, uint8_t tag, size_t length)
{
    buf_byte(buf, tag);
    if (length < 0x80) {
        buf_byte(buf, (uint8_t)length);
    } else if (length <= 0xff) {
        buf_byte(buf, 0x81);
        buf_byte(buf, (uint8_t)length);
    } else if (length <= 0xffff) {
        buf_byte(buf, 0x82);
        buf_u16(buf, (uint16_t)length);
    } else if (length <= 0xffffff) {
        buf_byte(buf, 0x83);
        buf_u24(buf, (uint32_t)length);
    } else {
        buf_byte(buf, 0x84);
        buf_u32(buf, (uint32_t)length); /* a buffer's maximum is far below 4 GiB */
    }
}

void der_put(struct buf *buf, uint8_t tag, struct span content)
{
    put_header(buf, tag, content.len);
    buf_span(buf, content);
}

void der_put_unsigned(struct buf *buf, struct span value)
{
    bool sign_byte;

    while (value.len > 0 && value.ptr[0] == 0)
        value = span_cut(value, 1, value.len);
    sign_byte = value.len == 0 || (value.ptr[0] & 0x80) != 0;
    put_header(buf, DER_INTEGER, value.len + (sign_byte ? 1 : 0));
    if (sign_byte)
        buf_byte(buf, 0);
    buf_span(buf, value);
}
