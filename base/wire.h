/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Length-checked messages between our own processes (hook and engine, engine and its children), and in evidence files.
 * libc only: the hook links this.
 *
 *   message = magic "PGM1" (4) | version u16 | type u16 | length u32 | records...     length counts the records' bytes
 *   record  = tag u16 | length u32 | bytes
 * All integers big-endian. A reader walks the records in order; a tag it does not know is an error (both ends are of
 * one build; the public ABI versions itself in pullguard.h). A record may hold records.
 */
#ifndef PG_BASE_WIRE_H
#define PG_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum { WIRE_VERSION = 1, WIRE_HEADER_BYTES = 12, WIRE_RECORD_HEADER_BYTES = 6 };

/* Building: wire_begin, records, wire_end (fills in the length); failures stick in the buffer. */
size_t wire_begin(struct buf *buf, uint16_t type);
void wire_end(struct buf *buf, size_t start);
void wire_put(struct buf *buf, uint16_t tag, struct span bytes);
void wire_put_str(struct buf *buf, uint16_t tag, const char *text); /* NULL = no record */
void wire_put_u32(struct buf *buf, uint16_t tag, uint32_t value);
void wire_put_u64(struct buf *buf, uint16_t tag, uint64_t value);
/* Nested: nested = wire_open(buf, tag); ...; wire_close(buf, nested). */
size_t wire_open(struct buf *buf, uint16_t tag);
void wire_close(struct buf *buf, size_t start);
/* The same when the last `more` bytes are not in the buffer: the caller sends them behind it, uncopied. */
void wire_end_more(struct buf *buf, size_t start, size_t more);
void wire_close_more(struct buf *buf, size_t start, size_t more);

struct wire_message {
    uint16_t type;
    struct span records;
};

/* Parses one whole message (header and exactly its records). MALFORMED otherwise. */
bool wire_parse(struct span bytes, struct wire_message *ret, struct error *err) MUST_CHECK;
/* The same for a message of one type: a reader over its records. */
bool wire_records(struct span bytes, uint16_t type, struct reader *ret, struct error *err) MUST_CHECK;
/* Parses a header only: how many bytes of records follow; refuses lengths above max. */
bool wire_parse_header(struct span header, size_t max, uint16_t *ret_type, size_t *ret_len,
                       struct error *err) MUST_CHECK;

/* Next record of a reader over records; false at the end or when malformed (then reader->failed is set). */
bool wire_next(struct reader *records, uint16_t *ret_tag, struct span *ret_bytes);
/* Values of records; false when the size is wrong or a string holds NUL. */
bool wire_u32(struct span bytes, uint32_t *ret) MUST_CHECK;
bool wire_u64(struct span bytes, uint64_t *ret) MUST_CHECK;
char *wire_str(struct span bytes) MUST_CHECK; /* owned copy; NULL on NUL byte or out of memory */

/*
 * Blocking transfer over a socket or pipe with a deadline (mono_ms; see base/clock.h), by poll. Only whole messages.
 * wire_receive appends one message (header included) to ret. Errors: TIMEOUT, UNAVAILABLE (peer closed or short),
 * MALFORMED (bad header), LIMIT (longer than max).
 */
bool wire_send(int fd, struct span message, int64_t deadline, struct error *err) MUST_CHECK;
bool wire_receive(int fd, size_t max, int64_t deadline, struct buf *ret, struct error *err) MUST_CHECK;

#endif
