/* SPDX-License-Identifier: Apache-2.0 */
/* What refers to an image: OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema" (sigstore.md 2.5). */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/discover_internal.h"
#include "verifier/ref.h"
#include "verifier/statement.h"

static const char bundle_prefix[] = "application/vnd.dev.sigstore.bundle";
static const char payload_type[] = "application/vnd.dev.cosign.simplesigning.v1+json";
static const char payload_artifact[] = "application/vnd.dev.cosign.artifact.sig.v1+json";

/* Referrers of one place: distinct digests, at most LIMIT_REFERRERS. */
struct referrers {
    const struct descriptor *items[LIMIT_REFERRERS];
    size_t count;
    bool more;
};

static bool known(const struct referrers *referrers, const struct descriptor *item)
{
    for (size_t i = 0; i < referrers->count; i++)
        if (digest_eq(&referrers->items[i]->digest, &item->digest))
            return true;
    return false;
}

/*
 * The descriptor's artifactType is a hint that registries and clients get wrong (trap 2), so nothing is left out
 * because of it; but those that may be ours come first, so that foreign artifacts cannot use up the limit.
 */
static bool looks_like_ours(const struct descriptor *item)
{
    return item->artifact_type.len == 0 || span_starts(item->artifact_type, bundle_prefix) ||
           span_eq_str(item->artifact_type, "application/vnd.oci.empty.v1+json") ||
           span_eq_str(item->artifact_type, payload_artifact);
}

/*
 * cosign annotates the manifest with the predicate type: a hint that saves fetching an SBOM when only signatures are
 * wanted, or the other way round. A lie hides a signature from us, which denies; it cannot make one.
 */
static bool worth_fetching(const struct verify_place *place, const struct node *annotations, enum claim_kind *ret_kind)
{
    struct span hint = annotation_get(annotations, "dev.sigstore.bundle.predicateType");
    bool signature = hint.len == 0 ? place->signatures : span_eq_str(hint, statement_sign_v1);

    *ret_kind = signature ? CLAIM_SIGNATURE : CLAIM_ATTESTATION;
    return hint.len == 0 || (signature ? place->signatures : place->attestations);
}

/* Listings carry the manifests' annotations: what they say is of no use here takes no place of the limit. */
static void collect(struct referrers *referrers, const struct verify_place *place, const struct manifest *index,
                    bool ours)
{
    for (size_t i = 0; i < index->count; i++) {
        const struct descriptor *item = &index->items[i];
        enum claim_kind ignored;

        if (looks_like_ours(item) != ours || !worth_fetching(place, item->annotations, &ignored) ||
            !media_type_is_image(item->media_type) || known(referrers, item))
            continue;
        if (referrers->count == LIMIT_REFERRERS) {
            referrers->more = true;
            return;
        }
        referrers->items[referrers->count++] = item;
    }
}

/* The URI of the link whose relation is "next" in a Link header (RFC 8288), empty when there is none. */
static struct span link_next(struct span header)
{
    for (;;) {
        size_t open = span_find_byte(header, '<');
        size_t close = open == SIZE_MAX ? SIZE_MAX : span_find_byte(header, '>');
        struct span params;
        size_t comma;

        if (open == SIZE_MAX || close == SIZE_MAX || close < open)
            return span_of(NULL, 0);
        params = span_cut(header, close + 1, SIZE_MAX);
        comma = span_find(params, ",");
        params = span_cut(params, 0, comma);
        if (span_find(params, "rel=\"next\"") != SIZE_MAX || span_find(params, "rel=next") != SIZE_MAX)
            return span_cut(header, open + 1, close - open - 1);
        if (comma == SIZE_MAX)
            return span_of(NULL, 0);
        header = span_cut(header, close + 1 + comma + 1, SIZE_MAX);
    }
}

/* Path and query of the next page when it lies on the same registry; NULL otherwise. */
static char *page_target(const struct verify_place *place, struct span uri)
{
    const char *api_host = ref_api_host(place->host);

    if (span_starts(uri, "https://") || span_starts(uri, "http://")) {
        struct span rest = span_cut(uri, span_starts(uri, "https://") ? 8 : 7, SIZE_MAX);
        size_t slash = span_find_byte(rest, '/');

        if (slash == SIZE_MAX || !span_eq_str(span_cut(rest, 0, slash), api_host))
            return NULL;
        uri = span_cut(rest, slash, SIZE_MAX);
    }
    if (!span_starts(uri, "/v2/") || uri.len > 4096)
        return NULL;
    for (size_t i = 0; i < uri.len; i++)
        if (uri.ptr[i] <= ' ' || uri.ptr[i] > '~')
            return NULL;
    return span_dup(uri);
}

/* One index of referrers, wherever it came from; NULL in *ret when it is not usable. */
static bool read_index(struct discovery *discovery, const struct verify_place *place, const char *name,
                       const struct evidence *item, const struct manifest **ret, struct error *err)
{
    const struct manifest *index;
    struct error why;

    *ret = NULL;
    if (!discover_manifest(discovery, place, name, item, &index, err))
        return false;
    if (!index)
        return true;
    if (index->kind == MANIFEST_INDEX) {
        *ret = index;
        return index->unusable == 0 || discover_note(discovery, place, name, &index->why_unusable, err);
    }
    (void)error_set(&why, REASON_MALFORMED, "a listing of referrers must be an index");
    return discover_note(discovery, place, name, &why, err);
}

/* Asks for the page behind this one; `name` is NULL at the end. Pages that are not looked at are told. */
static bool next_page(struct discovery *discovery, const struct verify_place *place, size_t pages,
                      const struct evidence **item, const char **name, struct error *err)
{
    struct span uri = link_next(span_str((*item)->link));
    char *target = uri.len > 0 ? page_target(place, uri) : NULL;
    const char *page = *name;
    struct error why;

    *name = target;
    if (uri.len == 0)
        return true;
    if (target && !keep_block(&discovery->keep, target, err))
        return false;
    if (target && pages < LIMIT_REFERRERS_PAGES)
        return discover_ask(discovery, place, WANT_PAGE, target, LIMIT_MANIFEST_BYTES, item, err);
    *name = NULL;
    if (target)
        (void)error_set(&why, REASON_LIMIT, "more than %d pages of referrers; the rest is not looked at",
                        LIMIT_REFERRERS_PAGES);
    else
        (void)error_set(&why, REASON_UNSUPPORTED,
                        "the next page of referrers is not on this registry; the rest is not looked at");
    return discover_note(discovery, place, page, &why, err);
}

/* All indexes of a place: the API's pages, and the fallback tag. */
struct indexes {
    const struct manifest *items[LIMIT_REFERRERS_PAGES + 1];
    size_t count;
};

static bool read_pages(struct discovery *discovery, const struct verify_place *place, const char *digest,
                       struct indexes *indexes, struct error *err)
{
    const struct evidence *item;
    const struct manifest *index;
    const char *name = digest;
    bool usable;

    if (!discover_ask(discovery, place, WANT_REFERRERS, digest, LIMIT_MANIFEST_BYTES, &item, err))
        return false;
    for (size_t pages = 1; name; pages++) {
        if (!discover_usable(discovery, place, name, item, &usable, err))
            return false;
        /* 200 with another type is a registry without the API (sigstore.md 2.5). */
        if (!usable || !media_type_is_index(span_str(item->content_type)))
            return true;
        if (!read_index(discovery, place, name, item, &index, err))
            return false;
        if (!index)
            return true;
        indexes->items[indexes->count++] = index;
        if (!next_page(discovery, place, pages, &item, &name, err))
            return false;
    }
    return true;
}

static bool read_fallback(struct discovery *discovery, const struct verify_place *place, struct indexes *indexes,
                          struct error *err)
{
    const struct digest *image = &discovery->input->image;
    const struct evidence *item;
    const struct manifest *index;
    char hex[2 * DIGEST_MAX_BYTES + 1];
    char *tag = mem_printf("%s-%s", digest_alg_name(image->alg), digest_hex(image, hex));
    bool usable;

    if (!keep_block(&discovery->keep, tag, err) ||
        !discover_ask(discovery, place, WANT_MANIFEST, tag, LIMIT_MANIFEST_BYTES, &item, err) ||
        !discover_usable(discovery, place, tag, item, &usable, err))
        return false;
    /* Some registries resolve this tag to the image itself (seen at registry.gitlab.com): its platforms are no
     * referrers. */
    if (!usable || digest_matches(image, item->body))
        return true;
    if (!read_index(discovery, place, tag, item, &index, err))
        return false;
    if (index)
        indexes->items[indexes->count++] = index;
    return true;
}

static bool note_foreign(struct discovery *discovery, const struct verify_place *place, const char *name,
                         const struct manifest *manifest, struct error *err)
{
    struct span type = manifest->artifact_type.len > 0 ? manifest->artifact_type : manifest->config.media_type;
    bool notary = span_eq_str(type, "application/vnd.cncf.notary.signature");
    struct error why;
    char clean[100];

    (void)text_clean(type, clean, sizeof(clean));
    if (notary)
        (void)error_set(&why, REASON_UNSUPPORTED, "a Notary Project signature, which is not handled");
    else
        (void)error_set(&why, REASON_NO_SIGNATURE, "the referrer is \"%s\", not a signature", clean);
    return discover_note(discovery, place, name, &why, err);
}

static bool sort_referrer(struct discovery *discovery, const struct verify_place *place, const char *name,
                          const struct manifest *manifest, struct error *err)
{
    enum claim_kind expected;

    /* The layer's media type tells, as in cosign; exactly one layer (sigstore.md 2.5). */
    if (manifest->kind == MANIFEST_IMAGE && manifest->count == 1 &&
        span_starts(manifest->items[0].media_type, bundle_prefix)) {
        if (!worth_fetching(place, manifest->annotations, &expected))
            return true;
        return discover_candidate(discovery, place, CANDIDATE_BUNDLE, expected, name, 0, &manifest->items[0], err);
    }
    /* The legacy payload stored as an OCI 1.1 artifact (sigstore.md 1.1, last paragraph). */
    if (manifest->kind == MANIFEST_IMAGE && manifest->count > 0 &&
        span_eq_str(manifest->items[0].media_type, payload_type) &&
        span_eq_str(manifest->config.media_type, payload_artifact)) {
        if (!place->signatures)
            return true;
        return discover_layers(discovery, place, CANDIDATE_LEGACY_SIGNATURE, name, manifest, err);
    }
    return note_foreign(discovery, place, name, manifest, err);
}

static bool walk_referrer(struct discovery *discovery, const struct verify_place *place, const struct descriptor *item,
                          struct error *err)
{
    const struct evidence *answer;
    const struct manifest *manifest;
    char text[DIGEST_TEXT_BYTES];
    char *name = mem_strdup(digest_format(&item->digest, text));
    struct error why;
    bool usable;

    if (!keep_block(&discovery->keep, name, err))
        return false;
    if (item->size > LIMIT_MANIFEST_BYTES) {
        (void)error_set(&why, REASON_LIMIT, "a manifest of %llu bytes", (unsigned long long)item->size);
        return discover_note(discovery, place, name, &why, err);
    }
    if (!discover_ask(discovery, place, WANT_MANIFEST, name, item->size, &answer, err) ||
        !discover_usable(discovery, place, name, answer, &usable, err))
        return false;
    if (answer && answer->status == EVIDENCE_ABSENT) {
        (void)error_set(&why, REASON_FETCH_FAILED, "listed as a referrer, but the registry does not have it");
        return discover_note(discovery, place, name, &why, err);
    }
    if (!usable)
        return true;
    if (answer->body.len != item->size || !digest_matches(&item->digest, answer->body)) {
        (void)error_set(&why, REASON_DIGEST_MISMATCH, "the manifest received is not the one of its digest and size");
        return discover_note(discovery, place, name, &why, err);
    }
    if (!discover_manifest(discovery, place, name, answer, &manifest, err))
        return false;
    return manifest ? sort_referrer(discovery, place, name, manifest, err) : true;
}

bool referrers_walk(struct discovery *discovery, const struct verify_place *place, struct error *err)
{
    struct indexes indexes = {0};
    struct referrers referrers = {0};
    char digest[DIGEST_TEXT_BYTES];
    struct error why;

    if (!read_pages(discovery, place, digest_format(&discovery->input->image, digest), &indexes, err) ||
        !read_fallback(discovery, place, &indexes, err))
        return false;
    for (size_t i = 0; i < indexes.count; i++)
        collect(&referrers, place, indexes.items[i], true);
    for (size_t i = 0; i < indexes.count; i++)
        collect(&referrers, place, indexes.items[i], false);
    if (referrers.more) {
        (void)error_set(&why, REASON_LIMIT, "more than %d referrers; the rest is not looked at", LIMIT_REFERRERS);
        if (!discover_note(discovery, place, digest, &why, err))
            return false;
    }
    for (size_t i = 0; i < referrers.count; i++)
        if (!walk_referrer(discovery, place, referrers.items[i], err))
            return false;
    return true;
}
