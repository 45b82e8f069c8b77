/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include <string.h>

#include "base/mem.h"

struct span span_of(const void *bytes, size_t len)
{
    return (struct span){.ptr = bytes, .len = len};
}

struct span span_str(const char *text)
{
    return span_of(text, text ? strlen(text) : 0);
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_eq_str(struct span a, const char *text)
{
    return span_eq(a, span_str(text));
}

bool span_starts(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && span_eq(span_of(a.ptr, len), span_of(prefix, len));
}

bool span_ends(struct span a, const char *suffix)
{
    size_t len = strlen(suffix);

    return a.len >= len && span_eq(span_cut(a, a.len - len, len), span_of(suffix, len));
}

bool span_has_nul(struct span a)
{
    return span_find_byte(a, 0) != SIZE_MAX;
}

size_t span_find_byte(struct span a, uint8_t byte)
{
    const uint8_t *hit = a.len > 0 ? memchr(a.ptr, byte, a.len) : NULL;

    return hit ? (size_t)(hit - a.ptr) : SIZE_MAX;
}

size_t span_find(struct span a, const char *needle)
{
    const uint8_t *hit = a.len > 0 ? memmem(a.ptr, a.len, needle, strlen(needle)) : NULL;

    return hit ? (size_t)(hit - a.ptr) : SIZE_MAX;
}

struct span span_cut(struct span a, size_t offset, size_t len)
{
    if (a.len == 0 || offset >= a.len)
        return span_of(NULL, 0);
    if (len > a.len - offset)
        len = a.len - offset;
    return span_of(a.ptr + offset, len);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct span span_trim(struct span a)
{
    while (a.len > 0 && is_blank(a.ptr[0]))
        a = span_of(a.ptr + 1, a.len - 1);
    while (a.len > 0 && is_blank(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

char *span_dup(struct span a)
{
    return span_has_nul(a) ? NULL : mem_dup(a.ptr, a.len);
}

bool span_to_u64(struct span a, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (a.len == 0 || (a.len > 1 && a.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t digit = (uint8_t)(a.ptr[i] - '0');

        if (digit > 9 || value > (max - digit) / 10 || digit > max)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

struct reader reader_of(struct span bytes)
{
    return (struct reader){.rest = bytes, .failed = false};
}

struct span read_bytes(struct reader *reader, size_t len)
{
    struct span taken;

    if (reader->failed || len > reader->rest.len) {
        reader->failed = true;
        return span_of(NULL, 0);
    }
    if (len == 0)
        return span_of(NULL, 0);
    taken = span_of(reader->rest.ptr, len);
    reader->rest = span_of(reader->rest.ptr + len, reader->rest.len - len);
    return taken;
}

static uint64_t read_be(struct reader *reader, size_t len)
{
    struct span taken = read_bytes(reader, len);
    uint64_t value = 0;

    for (size_t i = 0; i < taken.len; i++)
        value = value << 8 | taken.ptr[i];
    return value;
}

uint8_t read_u8(struct reader *reader)
{
    return (uint8_t)read_be(reader, 1);
}

uint16_t read_u16(struct reader *reader)
{
    return (uint16_t)read_be(reader, 2);
}

uint32_t read_u32(struct reader *reader)
{
    return (uint32_t)read_be(reader, 4);
}

uint64_t read_u64(struct reader *reader)
{
    return read_be(reader, 8);
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->rest.len == 0;
}
