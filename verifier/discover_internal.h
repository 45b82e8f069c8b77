/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by discover.c (what lies where) and referrers.c (listings). */
#ifndef PG_VERIFIER_DISCOVER_INTERNAL_H
#define PG_VERIFIER_DISCOVER_INTERNAL_H

#include "verifier/discover.h"

/*
 * The evidence for an object; when it was never asked for, it is added to the wants, unless that would go beyond what
 * one decision may fetch (a finding then). *ret is NULL when there is no evidence yet.
 */
bool discover_ask(struct discovery *discovery, const struct verify_place *place, enum want_kind kind,
                  const char *target, uint64_t max_bytes, const struct evidence **ret, struct error *err) MUST_CHECK;
/* A finding about an object of a place; kind by what the place is searched for. */
bool discover_note(struct discovery *discovery, const struct verify_place *place, const char *manifest,
                   const struct error *why, struct error *err) MUST_CHECK;
/* Finding for an answer that is an error; true result in *ret_usable when it was FOUND. */
bool discover_usable(struct discovery *discovery, const struct verify_place *place, const char *target,
                     const struct evidence *item, bool *ret_usable, struct error *err) MUST_CHECK;
/* Parses a manifest into the discovery's keep; NULL in *ret (and a finding) when it is malformed. */
bool discover_manifest(struct discovery *discovery, const struct verify_place *place, const char *name,
                       const struct evidence *item, const struct manifest **ret, struct error *err) MUST_CHECK;
/* Adds one layer as a candidate and asks for its blob. */
bool discover_candidate(struct discovery *discovery, const struct verify_place *place, enum candidate_kind kind,
                        enum claim_kind expected, const char *manifest, uint32_t layer, const struct descriptor *blob,
                        struct error *err) MUST_CHECK;
/* All layers of a .sig or .att manifest. */
bool discover_layers(struct discovery *discovery, const struct verify_place *place, enum candidate_kind kind,
                     const char *name, const struct manifest *manifest, struct error *err) MUST_CHECK;

/* The referrers of the image in a place: listing, pages, fallback tag, their manifests. */
bool referrers_walk(struct discovery *discovery, const struct verify_place *place, struct error *err) MUST_CHECK;

#endif
