/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the evidence from the image's digest to the blobs that may hold signatures: which objects are still missing
 * (wants), which are there (candidates), and what went wrong on the way (findings).
 *
 *   place ─┬ tag sha256-<hex>.sig ─ layers ─ payload blobs
 *          ├ tag sha256-<hex>.att ─ layers ─ DSSE blobs            (attestations wanted)
 *          └ referrers listing, its pages, tag sha256-<hex> ─ manifests ─ bundle blobs, payload blobs
 */
#ifndef PG_VERIFIER_DISCOVER_H
#define PG_VERIFIER_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "verifier/claims.h"
#include "verifier/claims_build.h"
#include "verifier/manifest.h"
#include "verifier/verify.h"

enum candidate_kind { CANDIDATE_LEGACY_SIGNATURE = 1, CANDIDATE_LEGACY_ATTESTATION, CANDIDATE_BUNDLE };

struct candidate {
    enum candidate_kind kind;
    const struct verify_place *place;
    struct place_view view;
    enum claim_kind expected;        /* what it looks like, for findings: nothing here is signed */
    const struct descriptor *blob;   /* layer annotations included */
    const struct evidence *evidence; /* the blob's; NULL while not fetched */
};

struct discovery {
    const struct verify_input *input;
    const struct evidence_set *evidence;
    struct wants wants;
    struct candidate *candidates;
    size_t count, capacity;
    struct claims *notes;        /* where findings go; borrowed */
    uint64_t bytes;              /* fetched, and asked for */

    struct manifest **manifests; /* owned; candidates borrow from them */
    size_t manifest_count, manifest_capacity;
    struct keep keep;            /* names */
};

/* notes: receives the findings. Fails for internal reasons only. */
bool discover(const struct verify_input *input, const struct evidence_set *evidence, struct claims *notes,
              struct discovery *ret, struct error *err) MUST_CHECK;
void discovery_done(struct discovery *discovery);

#endif
