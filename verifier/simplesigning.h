/* SPDX-License-Identifier: Apache-2.0 */
/* cosign's simple-signing payload (sigstore.md 1.3; FORMATS.md). */
#ifndef PG_VERIFIER_SIMPLESIGNING_H
#define PG_VERIFIER_SIMPLESIGNING_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "verifier/keep.h"

struct simplesigning {
    struct digest digest;           /* critical.image.docker-manifest-digest */
    struct span docker_reference;   /* critical.identity.docker-reference */
    const struct node *optional;    /* a map, or NULL */
};

/* Exactly the members of the format, each once, critical.type as cosign writes it. MALFORMED otherwise. */
bool simplesigning_parse(struct keep *keep, struct span payload, struct simplesigning *ret,
                         struct error *err) MUST_CHECK;

#endif
