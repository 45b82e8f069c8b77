/* SPDX-License-Identifier: Apache-2.0 */
/* How the verifier fills struct claims. Policy includes claims.h only. */
#ifndef PG_VERIFIER_CLAIMS_BUILD_H
#define PG_VERIFIER_CLAIMS_BUILD_H

#include "base/attributes.h"
#include "base/error.h"
#include "verifier/claims.h"

/* Where a candidate was found; strings borrowed. */
struct place_view {
    const char *host;
    const char *repository;
    const char *tag_prefix;
    const char *manifest;
    uint32_t layer;
};

bool claim_place_set(struct claim_place *place, const struct place_view *view, struct error *err) MUST_CHECK;
/* Takes the claim over (zeroes it); on failure too. */
bool claims_add(struct claims *claims, struct claim *claim, struct error *err) MUST_CHECK;
/* Records why something gave no claim: the reason and text of `why`. Only memory can fail. */
bool claims_note(struct claims *claims, const struct place_view *view, enum claim_kind kind, const struct error *why,
                 struct error *err) MUST_CHECK;

/* Grow the lists of one claim; the new element is zeroed. NULL = out of memory. */
struct claim_annotation *claim_add_annotation(struct claim *claim) MUST_CHECK;
struct claim_time *claim_add_time(struct claim *claim) MUST_CHECK;
struct claim_log *claim_add_log(struct claim *claim) MUST_CHECK;
void claim_done(struct claim *claim);
void claim_certificate_free(struct claim_certificate *certificate);

#endif
