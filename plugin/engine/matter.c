/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/matter.h"

#include <string.h>

#include "base/mem.h"
#include "base/tree.h"
#include "verifier/store.h"

void matter_done(struct matter *matter)
{
    for (size_t i = 0; matter->repositories && i < matter->needs.place_count; i++)
        ref_done(&matter->repositories[i]);
    mem_free(matter->repositories);
    mem_free(matter->places);
    mem_free(matter->keys);
    mem_free(matter->roots);
    mem_free(matter->own_media_type);
    policy_needs_done(&matter->needs);
    ref_done(&matter->ref);
    *matter = (struct matter){0};
}

bool matter_read(const struct request *request, struct matter *matter, struct error *err)
{
    struct digest given = {0};

    if (!request->reference)
        return error_set(err, REASON_BAD_REQUEST, "no image reference");
    if (!ref_parse(span_str(request->reference), &matter->ref, err))
        return false;
    if (request->digest && !digest_parse(span_str(request->digest), &given))
        return error_set(err, REASON_BAD_REQUEST, "the digest is not of the form sha256:<64 hex digits>");
    if (request->digest && matter->ref.digest.alg != DIGEST_NONE && !digest_eq(&given, &matter->ref.digest))
        return error_set(err, REASON_BAD_REQUEST, "the reference names another digest than the one to be pulled");
    matter->image = request->digest ? given : matter->ref.digest;
    matter->media_type = request->media_type;
    return true;
}

/* What the runtime says of the image (containerd writes it to its verifier). Lenient but for the digest: it must be
 * ours. */
static bool read_descriptor(const struct request *request, struct matter *matter, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *digest, *media_type;
    struct digest stated;

    if (!request->descriptor)
        return true;
    if (!json_parse(span_str(request->descriptor), "the descriptor", TREE_NO_PLACES, &tree, err))
        return false;
    digest = node_get(tree_root(tree), "digest");
    media_type = node_get(tree_root(tree), "mediaType");
    if (digest &&
        (!node_is(digest, NODE_STRING) || !digest_parse(digest->text, &stated) || !digest_eq(&stated, &matter->image)))
        return error_set(err, REASON_BAD_REQUEST, "the descriptor names another digest than the one to be pulled");
    if (!matter->media_type && node_is(media_type, NODE_STRING)) {
        matter->own_media_type = span_dup(media_type->text);
        matter->media_type = matter->own_media_type;
    }
    return true;
}

/* The object an answer is about could not be had: why. */
bool matter_fail(const struct evidence *answer, const char *what, struct error *err)
{
    if (answer->status == EVIDENCE_ABSENT)
        return error_set(err, REASON_NOT_FOUND, "%s does not exist in the registry", what);
    return error_set(err, answer->reason, "%s: %s", what, answer->error ? answer->error : "no usable answer");
}

/* No digest was given: the image is what the registry serves for the tag, by the bytes received (design rule 3). */
static bool resolve_tag(const struct evidence_set *evidence, struct matter *matter, struct error *err)
{
    const struct ref *ref = &matter->ref;
    const struct evidence *answer = evidence_find(evidence, WANT_MANIFEST, ref->host, ref->repository, ref->tag);

    if (!answer)
        return true;
    if (answer->status != EVIDENCE_FOUND)
        return matter_fail(answer, "the image", err);
    if (!digest_compute(DIGEST_SHA256, answer->body, &matter->image))
        return error_set(err, REASON_INTERNAL, "SHA-256 fails");
    if (!matter->media_type)
        matter->media_type = answer->content_type;
    return true;
}

bool matter_fill_places(struct matter *matter, struct error *err)
{
    const struct policy_needs *needs = &matter->needs;

    if (needs->place_count == 0)
        return true;
    matter->places = mem_new(needs->place_count, sizeof(*matter->places));
    matter->repositories = mem_new(needs->place_count, sizeof(*matter->repositories));
    if (!matter->places || !matter->repositories)
        return error_oom(err);
    for (size_t i = 0; i < needs->place_count; i++) {
        const struct policy_place *from = &needs->places[i];
        struct ref *other = &matter->repositories[i];

        if (from->directory) {
            matter->places[i] = (struct verify_place){.host = STORE_HOST,
                                                      .repository = from->directory,
                                                      .tag_prefix = "",
                                                      .signatures = from->signatures,
                                                      .attestations = from->attestations};
            continue;
        }
        if (from->repository && !ref_parse_repository(span_str(from->repository), other, err))
            return error_wrap(err, "policy source");
        matter->places[i] = (struct verify_place){
            .host = from->repository ? other->host : matter->ref.host,
            .repository = from->repository ? other->repository : matter->ref.repository,
            .tag_prefix = from->tag_prefix ? from->tag_prefix : "",
            .signatures = from->signatures,
            .attestations = from->attestations,
        };
    }
    return true;
}

static bool fill_keys(struct matter *matter, struct error *err)
{
    const struct policy_needs *needs = &matter->needs;

    if (needs->key_count == 0)
        return true;
    matter->keys = mem_new(needs->key_count, sizeof(*matter->keys));
    if (!matter->keys)
        return error_oom(err);
    for (size_t i = 0; i < needs->key_count; i++)
        matter->keys[i] = (struct verify_key){.key = needs->keys[i].key, .hash = needs->keys[i].hash};
    return true;
}

/* Claims count trust roots as the needs list them. */
static bool fill_roots(const struct judge_input *input, struct matter *matter, struct error *err)
{
    const struct policy_needs *needs = &matter->needs;
    size_t count = 0;
    const char *const *names = policy_set_roots(input->policies, &count);

    if (needs->root_count == 0)
        return true;
    matter->roots = mem_new(needs->root_count, sizeof(*matter->roots));
    if (!matter->roots)
        return error_oom(err);
    for (size_t i = 0; i < needs->root_count; i++) {
        for (size_t j = 0; j < count && j < input->root_count; j++)
            if (strcmp(needs->roots[i], names[j]) == 0)
                matter->roots[i] = input->roots[j];
        if (!matter->roots[i])
            return error_set(err, REASON_INTERNAL, "the trust root %s is not loaded", needs->roots[i]);
    }
    return true;
}

bool matter_find_needs(const struct judge_input *input, struct matter *matter, struct error *err)
{
    matter->known = (struct policy_image){.written = matter->ref.written,
                                          .host = matter->ref.host,
                                          .repository = matter->ref.repository,
                                          .tag = matter->ref.tag,
                                          .digest = matter->image,
                                          .media_type = matter->media_type};
    return policy_needs(input->policies, &matter->known, &matter->needs, err);
}

bool matter_work_out(const struct judge_input *input, const struct evidence_set *evidence, struct matter *matter,
                     struct error *err)
{
    if (!matter_read(input->request, matter, err) || !read_descriptor(input->request, matter, err))
        return false;
    if (matter->image.alg == DIGEST_NONE && !resolve_tag(evidence, matter, err))
        return false;
    if (matter->image.alg == DIGEST_NONE)
        return true;
    if (!matter_find_needs(input, matter, err) || !matter_fill_places(matter, err) || !fill_keys(matter, err) ||
        !fill_roots(input, matter, err))
        return false;
    matter->input = (struct verify_input){.image = matter->image,
                                          .places = matter->places,
                                          .place_count = matter->needs.place_count,
                                          .keys = matter->keys,
                                          .key_count = matter->needs.key_count,
                                          .roots = matter->roots,
                                          .root_count = matter->needs.root_count,
                                          .now = input->now};
    matter->resolved = true;
    return true;
}
