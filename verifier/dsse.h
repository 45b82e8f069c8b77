/* SPDX-License-Identifier: Apache-2.0 */
/* DSSE envelopes around in-toto statements (sigstore.md 1.5, 2.3; DSSE protocol.md). */
#ifndef PG_VERIFIER_DSSE_H
#define PG_VERIFIER_DSSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"
#include "verifier/keep.h"

enum { DSSE_SIGNATURES_MAX = 32 };

struct dsse {
    struct span pae;     /* what is signed: "DSSEv1 <len> <type> <len> <payload>" */
    struct span payload; /* the end of it, decoded */
    struct span signatures[DSSE_SIGNATURES_MAX]; /* decoded */
    size_t signature_count;
};

enum dsse_front {
    DSSE_LEGACY, /* an .att layer: Go's encoding/json, several signatures allowed, further members beside sig tolerated
                  */
    DSSE_BUNDLE, /* inside a bundle: proto3 JSON, exactly one signature, nothing unknown */
};

/* The payload is decoded once, straight behind the PAE header, so that a large one is in memory once. */
bool dsse_parse(struct keep *keep, const struct node *node, enum dsse_front front, struct dsse *ret,
                struct error *err) MUST_CHECK;

#endif
