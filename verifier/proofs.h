/* SPDX-License-Identifier: Apache-2.0 */
/* Log entries and timestamps of one verified signature, against every trust root given. */
#ifndef PG_VERIFIER_PROOFS_H
#define PG_VERIFIER_PROOFS_H

#include "verifier/object.h"
#include "verifier/rekor.h"

/*
 * Adds claim.logs and claim.times. Whatever does not verify is left out and said in log_problem or time_problem; an
 * entry of a known log that does not verify takes that root's other entries with it (sigstore-go: every entry must).
 * Only memory can fail.
 */
bool proofs_verify(struct verification *run, const struct object *object, const struct cert *cert,
                   const struct pubkey *key, struct claim *claim, struct error *err) MUST_CHECK;

#endif
