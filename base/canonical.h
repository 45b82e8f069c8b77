/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in the one form in which it is hashed or signed. Two such forms are in use, and they are not the same:
 *
 *   OLPC      TUF metadata. Members sorted by the bytes of their names; in strings only '"' and '\' are escaped, so
 *             line feeds stand there as they are; integers alone.
 *   RFC 8785  Sigstore's logs: Rekor v1's signed entry timestamp, Rekor v2's leaf. Members sorted by the UTF-16 code
 *             units of their names; control characters escaped; numbers as ECMAScript writes doubles.
 */
#ifndef PG_BASE_CANONICAL_H
#define PG_BASE_CANONICAL_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/tree.h"

enum canonical_form { CANONICAL_OLPC, CANONICAL_RFC8785 };

/* Appends; false for numbers that the form cannot hold (OLPC: fractions; RFC 8785: beyond a double), and out of
 * memory. */
bool canonical_write(const struct node *node, enum canonical_form form, struct buf *buf) MUST_CHECK;

/* The same for a document that we have written ourselves, in RFC 8785's form. Errors: MALFORMED, LIMIT, INTERNAL. */
bool canonical_rewrite(struct span json, struct buf *buf, struct error *err) MUST_CHECK;

#endif
