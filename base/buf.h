/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer, born with its maximum. Once an append does not fit (or memory is out) `failed` sticks and
 * the content is freed: a chain of appends needs one test at its end. A zeroed struct is a valid buffer of maximum 0.
 */
#ifndef PG_BASE_BUF_H
#define PG_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/span.h"

struct buf {
    uint8_t *ptr; /* owned; always followed by one NUL byte when not NULL */
    size_t len;
    size_t cap;
    size_t max; /* bytes, without the NUL */
    bool failed;
};

#define BUF_INIT(maximum) { .ptr = NULL, .len = 0, .cap = 0, .max = (maximum), .failed = false }

void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_span(struct buf *buf, struct span bytes);
void buf_str(struct buf *buf, const char *text);
void buf_byte(struct buf *buf, uint8_t byte);
void buf_u16(struct buf *buf, uint16_t value); /* big-endian, as all of these */
void buf_u24(struct buf *buf, uint32_t value);
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/*
 * Room for len more bytes at once, where it is known beforehand: growing by doubling holds a large content twice. What
 * does not fit is left to the appends to find out.
 */
void buf_make_room(struct buf *buf, size_t len);
/* Makes room and returns where to write len bytes that then count as content; NULL when it does not fit. */
uint8_t *buf_reserve(struct buf *buf, size_t len);

bool buf_ok(const struct buf *buf) MUST_CHECK;
struct span buf_as_span(const struct buf *buf); /* borrowed until the next append */
const char *buf_cstr(const struct buf *buf);    /* "" when empty; content may hold NUL bytes */
/* The content as an owned block (NUL-terminated); the buffer is empty after. NULL when failed or never written to. */
void *buf_take(struct buf *buf) MUST_CHECK;
void buf_clear(struct buf *buf); /* empty again, same maximum, failed reset; keeps the block */
void buf_free(struct buf *buf);  /* also for CLEANUP(buf_free) */
void buf_wipe(struct buf *buf);  /* as buf_free, overwriting first: secrets */

#endif
