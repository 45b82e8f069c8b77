/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/discover.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "verifier/discover_internal.h"

enum { CANDIDATES_MAX = 16 * 1024, MANIFESTS_MAX = 4096 };

static bool already_wanted(const struct wants *wants, const struct verify_place *place, enum want_kind kind,
                           const char *target)
{
    for (size_t i = 0; i < wants->count; i++) {
        const struct want *want = &wants->items[i];

        if (want->kind == kind && strcmp(want->target, target) == 0 &&
            strcmp(want->repository, place->repository) == 0 && strcmp(want->host, place->host) == 0)
            return true;
    }
    return false;
}

bool discover_note(struct discovery *discovery, const struct verify_place *place, const char *manifest,
                   const struct error *why, struct error *err)
{
    const struct place_view view = {
        .host = place->host, .repository = place->repository, .tag_prefix = place->tag_prefix, .manifest = manifest,
    };

    return claims_note(discovery->notes, &view, place->signatures ? CLAIM_SIGNATURE : CLAIM_ATTESTATION, why, err);
}

bool discover_ask(struct discovery *discovery, const struct verify_place *place, enum want_kind kind,
                  const char *target, uint64_t max_bytes, const struct evidence **ret, struct error *err)
{
    struct error why;

    *ret = evidence_find(discovery->evidence, kind, place->host, place->repository, target);
    if (*ret || already_wanted(&discovery->wants, place, kind, target))
        return true;
    if (discovery->evidence->count + discovery->wants.count >= LIMIT_EVIDENCE_ITEMS ||
        max_bytes > LIMIT_EVIDENCE_BYTES - discovery->bytes) {
        (void)error_set(&why, REASON_LIMIT, "not fetched: more than %d objects or %d bytes for one image",
                        LIMIT_EVIDENCE_ITEMS, LIMIT_EVIDENCE_BYTES);
        return discover_note(discovery, place, target, &why, err);
    }
    /* Listings and tagged manifests say no size beforehand; they are small, and counted once they are here. */
    if (kind == WANT_BLOB)
        discovery->bytes += max_bytes;
    return wants_add(&discovery->wants, kind, place->host, place->repository, target, max_bytes, err);
}

bool discover_usable(struct discovery *discovery, const struct verify_place *place, const char *target,
                     const struct evidence *item, bool *ret_usable, struct error *err)
{
    struct error why;

    *ret_usable = item && item->status == EVIDENCE_FOUND;
    if (!item || item->status != EVIDENCE_ERROR)
        return true;
    (void)error_set(&why,
                    item->reason == REASON_INTERNAL || item->reason == REASON_OK ? REASON_FETCH_FAILED : item->reason,
                    "%s", item->error ? item->error : "the registry gave no usable answer");
    return discover_note(discovery, place, target, &why, err);
}

bool discover_manifest(struct discovery *discovery, const struct verify_place *place, const char *name,
                       const struct evidence *item, const struct manifest **ret, struct error *err)
{
    struct manifest *manifest CLEANUP(mem_freep) = mem_new(1, sizeof(*manifest));
    struct error why;

    *ret = NULL;
    if (!manifest)
        return error_oom(err);
    if (!manifest_parse(item->body, item->content_type, manifest, &why))
        return discover_note(discovery, place, name, &why, err);
    if (!mem_grow(&discovery->manifests, &discovery->manifest_capacity, discovery->manifest_count, sizeof(manifest),
                  MANIFESTS_MAX)) {
        manifest_done(manifest);
        return error_oom(err);
    }
    *ret = discovery->manifests[discovery->manifest_count++] = manifest;
    manifest = NULL;
    return true;
}

static uint64_t blob_limit(enum candidate_kind kind, const struct verify_place *place)
{
    /* A signature's bundle is a few KiB; only where attestations are wanted may a bundle hold an SBOM. */
    if (kind == CANDIDATE_LEGACY_SIGNATURE || (kind == CANDIDATE_BUNDLE && !place->attestations))
        return LIMIT_PAYLOAD_BYTES;
    return LIMIT_ATTESTATION_BYTES;
}

bool discover_candidate(struct discovery *discovery, const struct verify_place *place, enum candidate_kind kind,
                        enum claim_kind expected, const char *manifest, uint32_t layer, const struct descriptor *blob,
                        struct error *err)
{
    char target[DIGEST_TEXT_BYTES];
    struct candidate *candidate;
    struct error why;

    if (blob->size > blob_limit(kind, place)) {
        (void)error_set(&why, REASON_LIMIT, "layer %u says %llu bytes, more than %llu", layer,
                        (unsigned long long)blob->size, (unsigned long long)blob_limit(kind, place));
        return discover_note(discovery, place, manifest, &why, err);
    }
    if (discovery->count >= CANDIDATES_MAX) {
        (void)error_set(&why, REASON_LIMIT, "more than %d layers for one image; the rest is not looked at",
                        CANDIDATES_MAX);
        return discover_note(discovery, place, manifest, &why, err);
    }
    if (!mem_grow(&discovery->candidates, &discovery->capacity, discovery->count, sizeof(*candidate), CANDIDATES_MAX))
        return error_oom(err);
    candidate = &discovery->candidates[discovery->count];
    *candidate = (struct candidate){
        .kind = kind, .place = place, .expected = expected, .blob = blob,
        .view = {.host = place->host, .repository = place->repository, .tag_prefix = place->tag_prefix,
                 .manifest = manifest, .layer = layer},
    };
    discovery->count++;
    return discover_ask(discovery, place, WANT_BLOB, digest_format(&blob->digest, target), blob->size,
                        &candidate->evidence, err);
}

bool discover_layers(struct discovery *discovery, const struct verify_place *place, enum candidate_kind kind,
                     const char *name, const struct manifest *manifest, struct error *err)
{
    enum claim_kind expected = kind == CANDIDATE_LEGACY_SIGNATURE ? CLAIM_SIGNATURE : CLAIM_ATTESTATION;

    for (size_t i = 0; i < manifest->count; i++) {
        bool full = discovery->count >= CANDIDATES_MAX;

        if (!discover_candidate(discovery, place, kind, expected, name, (uint32_t)i, &manifest->items[i], err))
            return false;
        if (full) /* said once for the whole manifest */
            break;
    }
    return true;
}

/* "<prefix>sha256-<hex><suffix>" (sigstore.md 1.1), kept. */
static bool tag_name(struct discovery *discovery, const struct verify_place *place, const char *suffix, char **ret,
                     struct error *err)
{
    const struct digest *image = &discovery->input->image;
    char hex[2 * DIGEST_MAX_BYTES + 1];

    *ret = mem_printf("%s%s-%s.%s", place->tag_prefix, digest_alg_name(image->alg), digest_hex(image, hex), suffix);
    return keep_block(&discovery->keep, *ret, err);
}

static bool walk_tag(struct discovery *discovery, const struct verify_place *place, const char *suffix,
                     enum candidate_kind kind, struct error *err)
{
    const struct evidence *item;
    const struct manifest *manifest;
    struct error why;
    bool usable;
    char *tag;

    if (!tag_name(discovery, place, suffix, &tag, err) ||
        !discover_ask(discovery, place, WANT_MANIFEST, tag, LIMIT_MANIFEST_BYTES, &item, err) ||
        !discover_usable(discovery, place, tag, item, &usable, err))
        return false;
    if (!usable)
        return true;
    if (!discover_manifest(discovery, place, tag, item, &manifest, err))
        return false;
    if (!manifest)
        return true;
    if (manifest->kind != MANIFEST_IMAGE) {
        (void)error_set(&why, REASON_MALFORMED, "the tag is an index, not a manifest of signatures");
        return discover_note(discovery, place, tag, &why, err);
    }
    return discover_layers(discovery, place, kind, tag, manifest, err);
}

/* Two places may differ in their tag prefix only; referrers have none, so one walk does. */
static bool referrers_done_before(const struct discovery *discovery, const struct verify_place *place)
{
    for (const struct verify_place *other = discovery->input->places; other < place; other++)
        if (strcmp(other->host, place->host) == 0 && strcmp(other->repository, place->repository) == 0 &&
            other->signatures >= place->signatures && other->attestations >= place->attestations)
            return true;
    return false;
}

static bool walk_place(struct discovery *discovery, const struct verify_place *place, struct error *err)
{
    if (!place->signatures && !place->attestations)
        return true;
    if (place->signatures && !walk_tag(discovery, place, "sig", CANDIDATE_LEGACY_SIGNATURE, err))
        return false;
    if (place->attestations && !walk_tag(discovery, place, "att", CANDIDATE_LEGACY_ATTESTATION, err))
        return false;
    return referrers_done_before(discovery, place) || referrers_walk(discovery, place, err);
}

bool discover(const struct verify_input *input, const struct evidence_set *evidence, struct claims *notes,
              struct discovery *ret, struct error *err)
{
    struct discovery discovery CLEANUP(discovery_done) = {.input = input, .evidence = evidence, .notes = notes};

    if (input->image.alg == DIGEST_NONE)
        return error_set(err, REASON_INTERNAL, "verification without the image's digest");
    for (size_t i = 0; i < evidence->count; i++)
        discovery.bytes += evidence->items[i].body.len;
    if (discovery.bytes > LIMIT_EVIDENCE_BYTES)
        return error_set(err, REASON_LIMIT, "more than %d bytes of evidence", LIMIT_EVIDENCE_BYTES);
    for (size_t i = 0; i < input->place_count; i++)
        if (!walk_place(&discovery, &input->places[i], err))
            return false;
    /* Numbers go on where the rounds before ended: an answer can belong to one question only. */
    for (size_t i = 0; i < discovery.wants.count; i++)
        discovery.wants.items[i].id = (uint32_t)(evidence->count + i + 1);
    *ret = discovery;
    discovery = (struct discovery){0};
    return true;
}

void discovery_done(struct discovery *discovery)
{
    wants_done(&discovery->wants);
    for (size_t i = 0; i < discovery->manifest_count; i++) {
        manifest_done(discovery->manifests[i]);
        mem_free(discovery->manifests[i]);
    }
    mem_free(discovery->manifests);
    mem_free(discovery->candidates);
    keep_done(&discovery->keep);
    *discovery = (struct discovery){0};
}
