/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal, base64, and text made safe for one line. */
#ifndef PG_BASE_ENCODE_H
#define PG_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/span.h"

/* Lower-case; dst has room for 2 * bytes.len + 1 characters. */
void hex_encode(struct span bytes, char *dst);
/* Exactly 2 * len digits, lower-case only (the digest grammar of the OCI image specification). */
bool hex_decode(struct span text, uint8_t *dst, size_t len) MUST_CHECK;

enum base64_kind {
    BASE64_STD,  /* RFC 4648 section 4, padded, canonical: no white space, no stray bits */
    BASE64_JSON, /* proto3 JSON: standard or URL-safe alphabet (not mixed), padding optional, stray bits refused */
    BASE64_URL,  /* RFC 4648 section 5, unpadded (JWS) */
    BASE64_PEM,  /* as STD with CR, LF, space and tab between characters */
};

/* Appends the decoded bytes to dst. false = not base64 of that kind (dst may then hold a part), or dst is full. */
bool base64_decode(struct span text, enum base64_kind kind, struct buf *dst) MUST_CHECK;
void base64_encode(struct span bytes, struct buf *dst);      /* standard, padded */

/*
 * Appends untrusted text for people: control characters, DEL, C1, bidirectional controls and bytes that are not UTF-8
 * become \xNN; at most max bytes are written, ending in "..." when cut.
 */
void text_sanitize(struct span text, size_t max, struct buf *dst);
/* The same into a caller's array (always terminated); returns dst, so that it can stand in an argument list. */
const char *text_clean(struct span text, char *dst, size_t dst_size);
bool text_is_utf8(struct span text);

/* The first character of text: its length in bytes, 0 when text is empty or does not begin with one (RFC 3629). */
size_t utf8_decode(struct span text, uint32_t *ret_code);
/* Returns the length, 0 for a surrogate or a number above U+10FFFF. */
size_t utf8_encode(uint32_t code, uint8_t dst[4]);
/* Bytes of text before the first that is not UTF-8. */
size_t utf8_valid_prefix(struct span text);

#endif
