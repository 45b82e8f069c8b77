/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM blocks (RFC 7468, the strict grammar except that lines may have any length, and may end in CR LF).
 * Header lines ("Proc-Type: ...") are refused: they belong to formats nobody here writes.
 */
#ifndef PG_CRYPTO_PEM_H
#define PG_CRYPTO_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* All spans borrow from the text that was read. */
struct pem_block {
    struct span before; /* text in front of the BEGIN line */
    struct span label;  /* "PUBLIC KEY" */
    struct span body;   /* between the two lines; not yet checked to be base64 */
    struct span behind; /* everything after the END line */
};

/*
 * Finds the first block. MALFORMED says what looks wrong: no block, an indented BEGIN line, line breaks that were
 * lost (a YAML folded scalar, "\n" written as two characters), an END line that is missing or of another label.
 */
bool pem_read(struct span text, struct pem_block *ret, struct error *err) MUST_CHECK;

/* Decodes the body; MALFORMED when it is no base64, LIMIT beyond max bytes, never empty. */
bool pem_decode(const struct pem_block *block, size_t max, struct buf *ret, struct error *err) MUST_CHECK;

/*
 * The text is exactly one block of this label, with nothing but white space around it: its bytes.
 * ret is initialised here, with maximum max; the caller frees it (buf_free, or buf_wipe for secrets).
 */
bool pem_single(struct span text, const char *label, size_t max, struct buf *ret, struct error *err) MUST_CHECK;

/* Appends a block with lines of 64 characters. */
void pem_write(struct buf *buf, const char *label, struct span bytes);

#endif
