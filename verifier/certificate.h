/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures by certificates: identity facts, and the certificate's standing under each trust root
 * (sigstore.md 3.2-3.4). */
#ifndef PG_VERIFIER_CERTIFICATE_H
#define PG_VERIFIER_CERTIFICATE_H

#include "crypto/cert.h"
#include "verifier/object.h"

/* The signer's certificate and, from a legacy chain annotation, intermediates that may help. */
struct signer {
    struct cert *cert;
    struct certs chain;
};

/*
 * Parses what the object carries. MALFORMED (also when a bundle brings the root itself along, as Sigstore's client
 * conformance wants), UNSUPPORTED (a key that we do not verify with).
 */
bool signer_parse(const struct verification *run, const struct object *object, struct signer *ret,
                  struct error *err) MUST_CHECK;
void signer_done(struct signer *signer);

/* Identity facts into the claim. */
bool certificate_to_claim(struct verification *run, const struct object *object, const struct signer *signer,
                          struct claim *claim, struct error *err) MUST_CHECK;
/* Chains under every root, at every time that the claim proved; call after proofs_verify. Only memory can fail. */
bool certificate_verify_chains(struct verification *run, const struct signer *signer, struct claim *claim,
                               struct error *err) MUST_CHECK;

#endif
