/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for DER (X.690 section 10), strict and small: single-byte tags, definite lengths in their shortest form.
 * OpenSSL's own decoders accept BER in places; where the exact bytes matter, they pass through here first.
 */
#ifndef PG_CRYPTO_DER_H
#define PG_CRYPTO_DER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/span.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0, /* [n] EXPLICIT or constructed: add n */
};

struct der_item {
    uint8_t tag;
    struct span content;
    struct span whole; /* header and content */
};

/* The next element. On failure the reader's `failed` sticks. */
bool der_next(struct reader *reader, struct der_item *ret) MUST_CHECK;
/* The next element, which must have this tag; its content. */
bool der_expect(struct reader *reader, uint8_t tag, struct span *ret_content) MUST_CHECK;
/* The whole span is one element of this tag. */
bool der_single(struct span bytes, uint8_t tag, struct span *ret_content) MUST_CHECK;
/* The whole span is one element, and so is everything constructed inside it, at most 32 deep: no BER anywhere. */
bool der_is_strict(struct span bytes) MUST_CHECK;
/* Is the next element there and of this tag? Moves nothing. */
bool der_peek(const struct reader *reader, uint8_t tag);
/* An INTEGER that is positive or zero, in its shortest form; ret_value is without the sign byte (empty for zero). */
bool der_expect_unsigned(struct reader *reader, struct span *ret_value) MUST_CHECK;
/* Appends tag, length and content. */
void der_put(struct buf *buf, uint8_t tag, struct span content);
/* Appends an INTEGER of these big-endian magnitude bytes (leading zeros allowed). */
void der_put_unsigned(struct buf *buf, struct span value);

#endif
