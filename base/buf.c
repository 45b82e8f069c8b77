/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void fail(struct buf *buf)
{
    mem_wipe_free(buf->ptr, buf->cap);
    buf->ptr = NULL;
    buf->len = buf->cap = 0;
    buf->failed = true;
}

/*
 * Grows by copy, not realloc: an old block that held a secret is wiped. To twice the size at least (or to the maximum):
 * many small appends cost no more than a few copies.
 */
static bool grow(struct buf *buf, size_t needed)
{
    size_t most = buf->max == SIZE_MAX ? SIZE_MAX : buf->max + 1;
    size_t cap = buf->cap < 64 ? 64 : buf->cap > most / 2 ? most : buf->cap * 2;
    uint8_t *block;

    if (cap > most)
        cap = most;
    if (cap < needed)
        cap = needed;
    block = mem_new(cap, 1);
    if (!block)
        return false;
    if (buf->len > 0)
        memcpy(block, buf->ptr, buf->len);
    mem_wipe_free(buf->ptr, buf->cap);
    buf->ptr = block;
    buf->cap = cap;
    return true;
}

static bool fits(const struct buf *buf, size_t len)
{
    return len <= buf->max - buf->len && len < SIZE_MAX - buf->len;
}

static bool has_room(const struct buf *buf, size_t len)
{
    return buf->len + len + 1 <= buf->cap;
}

void buf_make_room(struct buf *buf, size_t len)
{
    if (!buf->failed && fits(buf, len) && !has_room(buf, len))
        (void)grow(buf, buf->len + len + 1);
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    uint8_t *place;

    if (buf->failed)
        return NULL;
    if (!fits(buf, len) || (!has_room(buf, len) && !grow(buf, buf->len + len + 1))) {
        fail(buf);
        return NULL;
    }
    place = buf->ptr + buf->len;
    buf->len += len;
    buf->ptr[buf->len] = '\0';
    return place;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
    uint8_t *place = buf_reserve(buf, len);

    if (place && len > 0)
        memcpy(place, bytes, len);
}

void buf_span(struct buf *buf, struct span bytes)
{
    buf_append(buf, bytes.ptr, bytes.len);
}

void buf_str(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_byte(struct buf *buf, uint8_t byte)
{
    buf_append(buf, &byte, 1);
}

static void append_be(struct buf *buf, uint64_t value, size_t len)
{
    uint8_t *place = buf_reserve(buf, len);

    for (size_t i = len; place && i > 0; i--) {
        place[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

void buf_u16(struct buf *buf, uint16_t value)
{
    append_be(buf, value, 2);
}

void buf_u24(struct buf *buf, uint32_t value)
{
    append_be(buf, value, 3);
}

void buf_u32(struct buf *buf, uint32_t value)
{
    append_be(buf, value, 4);
}

void buf_u64(struct buf *buf, uint64_t value)
{
    append_be(buf, value, 8);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        fail(buf);
        return;
    }
    buf_append(buf, text, (size_t)len);
    mem_free(text);
}

bool buf_ok(const struct buf *buf)
{
    return !buf->failed;
}

struct span buf_as_span(const struct buf *buf)
{
    return span_of(buf->ptr, buf->len);
}

const char *buf_cstr(const struct buf *buf)
{
    return buf->ptr ? (const char *)buf->ptr : "";
}

void *buf_take(struct buf *buf)
{
    void *block = buf->ptr;

    buf->ptr = NULL;
    buf->len = buf->cap = 0;
    return block;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

void buf_free(struct buf *buf)
{
    mem_free(buf->ptr);
    *buf = (struct buf)BUF_INIT(buf->max);
}

void buf_wipe(struct buf *buf)
{
    mem_wipe_free(buf->ptr, buf->cap);
    buf->ptr = NULL;
    buf_free(buf);
}
