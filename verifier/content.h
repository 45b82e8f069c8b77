/* SPDX-License-Identifier: Apache-2.0 */
/* What a payload says about the image: read only after its signature has been verified. */
#ifndef PG_VERIFIER_CONTENT_H
#define PG_VERIFIER_CONTENT_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "verifier/claims.h"
#include "verifier/keep.h"

enum content_form {
    CONTENT_SIMPLE_SIGNING, /* payload of a .sig layer */
    CONTENT_ATTESTATION,    /* statement of an .att layer: an attestation whatever its type */
    CONTENT_BUNDLE,         /* statement of a bundle: its predicate type tells signature from attestation */
    CONTENT_ARTIFACT,       /* messageSignature: the image's manifest itself is what was signed */
};

struct content {
    enum claim_kind kind;
    struct span docker_reference;    /* empty for statements */
    const struct node *annotations;  /* signed; NULL = none */
    struct span predicate_type;
    const struct node *statement;    /* attestations only */
};

/* DIGEST_MISMATCH when it is about another image; MALFORMED, LIMIT, UNSUPPORTED. */
bool content_read(struct keep *keep, enum content_form form, struct span payload, const struct digest *image,
                  struct content *ret, struct error *err) MUST_CHECK;
/* Copies it into a claim. */
bool content_to_claim(const struct content *content, struct claim *claim, struct error *err) MUST_CHECK;

#endif
