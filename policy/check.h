/* SPDX-License-Identifier: Apache-2.0 */
/* One claim against one authority, one requirement at a time; and how far a failing one came. */
#ifndef PG_POLICY_CHECK_H
#define PG_POLICY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/model.h"

/* How near a failure came to success: of several, the furthest is the one worth reporting. */
enum progress {
    PROGRESS_NOTHING,     /* nothing was found */
    PROGRESS_LOOKUP,      /* nothing was found, and a look-up failed */
    PROGRESS_UNREADABLE,  /* malformed, too large, not supported, not what its digest says */
    PROGRESS_SIGNATURE,   /* cannot be a signature by the key */
    PROGRESS_SIGNER,      /* well-formed, by another key */
    PROGRESS_CHAIN,
    PROGRESS_IDENTITY,
    PROGRESS_PROOF,       /* log entry, timestamp */
    PROGRESS_TIME,        /* validity, age */
    PROGRESS_REVOKED,
    PROGRESS_REFERENCE,
    PROGRESS_ANNOTATIONS,
    PROGRESS_CONDITION,
    PROGRESS_THRESHOLD,
};

struct outcome {
    bool satisfied;
    enum reason reason;
    enum progress progress;
    size_t entry;    /* satisfied: index of the first member or identity that the signer is */
    char text[400];  /* not satisfied: wanted and found */
};

/* What one decision carries along. */
struct decide {
    const struct policy_set *set;
    const struct policy_image *image;
    const struct claims *claims;
    const char *own_repository; /* host/path of the image */
    size_t *claim_keys;         /* per claim: index into set->keys, SIZE_MAX for none */
    size_t *claim_roots;        /* per root of the set: its index in the claims, SIZE_MAX when not asked for */
    int64_t now;
    struct json_out *report;    /* NULL = none */
    struct error *err;
};

/* A requirement of an authority: the signature (rule NULL), or one of its attestations. */
struct requirement {
    const struct authority *authority;
    const struct attestation_rule *rule;
};

/* Is the claim about this requirement at all: kind, place, layout, predicate type? */
bool check_applies(const struct decide *decide, const struct requirement *requirement, const struct claim *claim);
bool check_place(const struct decide *decide, const struct authority *authority, const struct claim_place *place,
                 bool prefix_too);
/* Is the claim's signer this member or identity of the authority? Others may fit as well. */
bool check_entry(const struct decide *decide, const struct authority *authority, size_t claim_index, size_t entry);
size_t check_entry_count(const struct authority *authority);
/* The whole checklist for an applying claim. */
void check_claim(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                 struct outcome *ret);
/* Certificate part of it (check_keyless.c). */
bool check_certificate(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                       struct outcome *ret);
bool identity_matches(const struct identity *identity, const struct claim *claim);
/* The signed docker-reference (check_reference.c). */
bool check_reference(const struct decide *decide, const struct requirement *requirement, const struct claim *claim,
                     struct outcome *ret);
/* Log entries, timestamps, validity and age (check_proof.c). */
bool check_proofs(const struct decide *decide, const struct requirement *requirement, const struct claim *claim,
                  struct outcome *ret);
/* Does the authority trust the root that proves this time? */
bool claim_time_counts(const struct decide *decide, const struct authority *authority, const struct claim_time *time);
/* The earliest time that a root trusted by the authority proves for this claim. */
bool claim_trusted_time(const struct decide *decide, const struct authority *authority, const struct claim *claim,
                        int64_t *ret_time);

/* Fills a failure; returns false. */
bool outcome_fail(struct outcome *outcome, enum progress progress, enum reason reason, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Progress of a finding of the verifier. */
enum progress finding_progress(enum reason reason);
/* Short name of a claim's signer: "key 3f2a91c04d7e..." or the identity, cleaned. */
const char *signer_text(const struct claim *claim, char *dst, size_t dst_size);
/* Fingerprint, or "issuer identity": equal for equal signers and never for different ones. */
char *signer_id(const struct claim *claim);

#endif
