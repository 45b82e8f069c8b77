/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes, and a reader over it. Untrusted bytes are touched through these only. */
#ifndef PG_BASE_SPAN_H
#define PG_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct span {
    const uint8_t *ptr; /* borrowed; may be NULL only when len is 0 */
    size_t len;         /* bytes */
};

struct span span_of(const void *bytes, size_t len);
struct span span_str(const char *text); /* without the NUL; NULL = empty */
bool span_eq(struct span a, struct span b);
bool span_eq_str(struct span a, const char *text);
bool span_starts(struct span a, const char *prefix);
bool span_ends(struct span a, const char *suffix);
bool span_has_nul(struct span a);
/* Index of the first byte, or of the needle; SIZE_MAX when absent. */
size_t span_find_byte(struct span a, uint8_t byte);
size_t span_find(struct span a, const char *needle);
/* The part from offset on, at most len bytes; clamps to the span. */
struct span span_cut(struct span a, size_t offset, size_t len);
/* Without spaces, tabs, CR and LF at both ends. */
struct span span_trim(struct span a);
/* A NUL-terminated copy; NULL when the span holds a NUL byte or memory is out. Caller frees with mem_free. */
char *span_dup(struct span a) MUST_CHECK;
/* Decimal digits only, no sign, no leading zeros (but "0"), at most max. */
bool span_to_u64(struct span a, uint64_t max, uint64_t *ret_value) MUST_CHECK;

/*
 * Reads from the front. Once a read does not fit, `failed` sticks, and every later read fails too and gives zero or
 * an empty span: a chain of reads needs one test at its end. Integers are big-endian.
 */
struct reader {
    struct span rest;
    bool failed;
};

struct reader reader_of(struct span bytes);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
struct span read_bytes(struct reader *reader, size_t len);
/* true when nothing failed and nothing is left: the check for trailing bytes. */
bool reader_done(const struct reader *reader) MUST_CHECK;

#endif
