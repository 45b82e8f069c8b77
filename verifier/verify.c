/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/verify.h"

#include <string.h>

#include "verifier/discover.h"
#include "verifier/object.h"

bool verify_wants(const struct verify_input *input, const struct evidence_set *evidence, struct wants *ret_wants,
                  struct error *err)
{
    struct discovery discovery CLEANUP(discovery_done) = {0};
    struct claims notes CLEANUP(claims_done) = {0};

    if (!discover(input, evidence, &notes, &discovery, err))
        return false;
    for (size_t i = 0; i < discovery.wants.count; i++) {
        const struct want *want = &discovery.wants.items[i];

        if (!wants_add(ret_wants, want->kind, want->host, want->repository, want->target, want->max_bytes, err))
            return false;
        ret_wants->items[ret_wants->count - 1].id = (uint32_t)(evidence->count + ret_wants->count);
    }
    return true;
}

/* Evidence is found by digest, so the same evidence is the same digest. */
static bool blob_intact(struct verification *run, const struct candidate *candidate, struct error *why)
{
    if (run->intact == candidate->evidence)
        return true;
    if (!run_hash(run, candidate->evidence->body.len, why))
        return false;
    if (!digest_matches(&candidate->blob->digest, candidate->evidence->body))
        return error_set(why, REASON_DIGEST_MISMATCH, "the blob received is not the one of its digest");
    run->intact = candidate->evidence;
    return true;
}

/* The blob, when it is there and is what its descriptor says. */
static bool blob_bytes(struct verification *run, const struct candidate *candidate, struct span *ret, bool *ret_usable,
                       struct error *err)
{
    const struct evidence *item = candidate->evidence;
    struct error why = ERROR_INIT;

    *ret_usable = false;
    if (!item)
        return true; /* not fetched yet */
    if (item->status == EVIDENCE_ERROR)
        (void)error_set(
            &why, item->reason == REASON_INTERNAL || item->reason == REASON_OK ? REASON_FETCH_FAILED : item->reason,
            "%s", item->error ? item->error : "the registry gave no usable answer");
    else if (item->status == EVIDENCE_ABSENT)
        (void)error_set(&why, REASON_FETCH_FAILED, "the registry does not have the blob that the manifest names");
    else if (item->body.len != candidate->blob->size)
        (void)error_set(&why, REASON_DIGEST_MISMATCH, "the blob received is not of its descriptor's size");
    else if (blob_intact(run, candidate, &why)) {
        *ret = item->body;
        *ret_usable = true;
        return true;
    }
    return claims_note(run->claims, &candidate->view, candidate->expected, &why, err);
}

static bool verify_candidate(struct verification *run, const struct candidate *candidate, struct error *err)
{
    struct object object = {
        .view = candidate->view,
        .expected = candidate->expected,
        .signatures = candidate->place->signatures,
        .attestations = candidate->place->attestations,
        .of_image = true,
    };
    bool usable;

    if (!blob_bytes(run, candidate, &object.envelope, &usable, err))
        return false;
    if (!usable)
        return true;
    switch (candidate->kind) {
    case CANDIDATE_LEGACY_SIGNATURE:
        return legacy_signature_verify(run, &object, candidate->blob->annotations, err);
    case CANDIDATE_LEGACY_ATTESTATION:
        return legacy_attestation_verify(run, &object, candidate->blob->annotations, err);
    case CANDIDATE_BUNDLE:
        return bundle_verify(run, &object, err);
    default:
        return error_set(err, REASON_INTERNAL, "unknown kind of candidate");
    }
}

bool verify_claims(const struct verify_input *input, const struct evidence_set *evidence, struct claims *ret_claims,
                   struct error *err)
{
    struct discovery discovery CLEANUP(discovery_done) = {0};
    struct claims claims CLEANUP(claims_done) = {.image = input->image};
    struct verification run = {.input = input, .claims = &claims};

    if (!discover(input, evidence, &claims, &discovery, err))
        return false;
    for (size_t i = 0; i < discovery.count; i++)
        if (!verify_candidate(&run, &discovery.candidates[i], err))
            return false;
    /* Manifests hold annotations that objects borrowed while they were verified; claims borrow from none of them. */
    *ret_claims = claims;
    claims = (struct claims){0};
    return true;
}
