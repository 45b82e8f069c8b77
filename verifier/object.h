/* SPDX-License-Identifier: Apache-2.0 */
/* A signed object, the same for legacy layers, bundles and blobs: what the one core of the verifier works on. */
#ifndef PG_VERIFIER_OBJECT_H
#define PG_VERIFIER_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "verifier/claims_build.h"
#include "verifier/content.h"
#include "verifier/logentry.h"
#include "verifier/verify.h"

struct object {
    struct place_view view;
    enum claim_layout layout;
    enum claim_kind expected;   /* for findings, while nothing is verified */
    enum content_form form;
    bool signatures, attestations; /* what is wanted of this place */

    struct span message;        /* what is signed: payload or PAE */
    bool of_image;             /* found beside an image: a signature over a mere file does not count there */
    const struct digest *message_digest; /* instead of message: its digest (CONTENT_ARTIFACT) */
    struct span payload;
    struct span envelope;       /* the blob as stored */
    struct span signature;
    struct span timestamped;    /* what an RFC 3161 timestamp covers */

    bool keys_allowed;          /* false: a bundle with a certificate (sigstore.md 2.6) */
    struct span hint;           /* of the key, from a bundle */
    struct span certificate_pem;/* legacy annotation; or ... */
    struct span certificate_der;/* ... a bundle's */
    const struct span *chain_der; /* a bundle's further certificates: looked at, never used */
    size_t chain_count;
    struct span chain_pem;      /* legacy annotation: intermediates that may help, trusted for nothing */

    const struct log_entry *entries;
    size_t entry_count;
    const struct span *timestamps;
    size_t timestamp_count;
};

/* One run over all evidence. */
struct verification {
    const struct verify_input *input;
    struct claims *claims;
    size_t checks;              /* signature checks done, bounded */
    uint64_t hashed;            /* bytes hashed for them and for digests, bounded */
    const struct evidence *intact; /* the blob whose digest was checked last: layers may share one */
    struct span prehashed;      /* a large message, and its SHA-256: several keys, one hash */
    struct digest prehash;
};

/* Counts one signature check; LIMIT when there were too many. */
bool run_check(struct verification *run, struct error *err) MUST_CHECK;
/* Counts bytes that are about to be hashed; LIMIT when they are too many. */
bool run_hash(struct verification *run, size_t bytes, struct error *err) MUST_CHECK;

/* Adds a claim for each key that verifies the object, one for its certificate, or a finding that says why there is
 * none. */
bool object_verify(struct verification *run, const struct object *object, struct error *err) MUST_CHECK;

/* The fronts: from a candidate's bytes to objects. Malformed bytes become findings. */
bool legacy_signature_verify(struct verification *run, struct object *object, const struct node *annotations,
                             struct error *err) MUST_CHECK;
bool legacy_attestation_verify(struct verification *run, struct object *object, const struct node *annotations,
                               struct error *err) MUST_CHECK;
bool bundle_verify(struct verification *run, struct object *object, struct error *err) MUST_CHECK;

#endif
