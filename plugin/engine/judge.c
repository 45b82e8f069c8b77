/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/judge.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "verifier/ref.h"
#include "verifier/store.h"
#include "verifier/verify.h"

/* One request, worked out as far as the evidence goes. Everything in it is derived: nothing is kept between calls. */
struct matter {
    struct ref ref;
    bool resolved;             /* image and policy_image are set; needs too */
    struct digest image;
    const char *media_type;    /* borrowed from request, evidence or own_media_type */
    char *own_media_type;
    struct policy_image known;
    struct policy_needs needs;
    struct ref *repositories;  /* of places that name another repository */
    struct verify_place *places;
    struct verify_key *keys;
    const struct trust_root **roots;
    struct verify_input input;
};

static void matter_done(struct matter *matter)
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

static bool read_reference(const struct request *request, struct matter *matter, struct error *err)
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
static bool fail_answer(const struct evidence *answer, const char *what, struct error *err)
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
        return fail_answer(answer, "the image", err);
    if (!digest_compute(DIGEST_SHA256, answer->body, &matter->image))
        return error_set(err, REASON_INTERNAL, "SHA-256 fails");
    if (!matter->media_type)
        matter->media_type = answer->content_type;
    return true;
}

static bool fill_places(struct matter *matter, struct error *err)
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

static bool find_needs(const struct judge_input *input, struct matter *matter, struct error *err)
{
    matter->known = (struct policy_image){.written = matter->ref.written,
                                          .host = matter->ref.host,
                                          .repository = matter->ref.repository,
                                          .tag = matter->ref.tag,
                                          .digest = matter->image,
                                          .media_type = matter->media_type};
    return policy_needs(input->policies, &matter->known, &matter->needs, err);
}

static bool work_out(const struct judge_input *input, const struct evidence_set *evidence, struct matter *matter,
                     struct error *err)
{
    if (!read_reference(input->request, matter, err) || !read_descriptor(input->request, matter, err))
        return false;
    if (matter->image.alg == DIGEST_NONE && !resolve_tag(evidence, matter, err))
        return false;
    if (matter->image.alg == DIGEST_NONE)
        return true;
    if (!find_needs(input, matter, err) || !fill_places(matter, err) || !fill_keys(matter, err) ||
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

/* `collect`: everything that can be found beside the image, whatever the policies ask for. */
static bool collect_wants(const struct matter *matter, const struct evidence_set *evidence, struct wants *ret,
                          struct error *err)
{
    const struct verify_place own = {.host = matter->ref.host,
                                     .repository = matter->ref.repository,
                                     .tag_prefix = "",
                                     .signatures = true,
                                     .attestations = true};
    struct verify_input all = matter->input;

    if (!verify_wants(&matter->input, evidence, ret, err))
        return false;
    all.places = &own;
    all.place_count = 1;
    return verify_wants(&all, evidence, ret, err);
}

/* The index that must list request.member: as the tag gave it, or by digest. */
static const struct evidence *find_index(const struct judge_input *input, const struct evidence_set *evidence,
                                         const struct matter *matter, char digest[DIGEST_TEXT_BYTES])
{
    const struct ref *ref = &matter->ref;

    (void)digest_format(&matter->image, digest);
    if (!input->request->digest && ref->digest.alg == DIGEST_NONE)
        return evidence_find(evidence, WANT_MANIFEST, ref->host, ref->repository, ref->tag);
    return evidence_find(evidence, WANT_MANIFEST, ref->host, ref->repository, digest);
}

/* No member asked about, or it is the image itself: a tag that names no index needs none. */
static bool member_is_image(const struct judge_input *input, const struct matter *matter)
{
    char digest[DIGEST_TEXT_BYTES];

    return !input->request->member || strcmp(input->request->member, digest_format(&matter->image, digest)) == 0;
}

bool judge_wants(const struct judge_input *input, const struct evidence_set *evidence, struct wants *ret,
                 struct error *err)
{
    CLEANUP(matter_done) struct matter matter = {0};
    const struct ref *ref = &matter.ref;
    char digest[DIGEST_TEXT_BYTES];

    if (!work_out(input, evidence, &matter, err))
        return false;
    if (input->request->flags & REQUEST_NO_NETWORK)
        return true;
    if (!matter.resolved)
        return wants_add(ret, WANT_MANIFEST, ref->host, ref->repository, ref->tag, LIMIT_MANIFEST_BYTES, err);
    if (!member_is_image(input, &matter) && !find_index(input, evidence, &matter, digest) &&
        !wants_add(ret, WANT_MANIFEST, ref->host, ref->repository, digest, LIMIT_MANIFEST_BYTES, err))
        return false;
    if (input->request->flags & REQUEST_COLLECT)
        return collect_wants(&matter, evidence, ret, err);
    return matter.needs.nothing || verify_wants(&matter.input, evidence, ret, err);
}

bool judge_stays_home(const struct judge_input *input)
{
    CLEANUP(matter_done) struct matter matter = {0};
    struct error ignored = ERROR_INIT;
    bool home;

    if ((input->request->flags & REQUEST_COLLECT) || !read_reference(input->request, &matter, &ignored) ||
        matter.image.alg == DIGEST_NONE || !member_is_image(input, &matter) || !find_needs(input, &matter, &ignored))
        return false;
    home = true;
    for (size_t i = 0; !matter.needs.nothing && i < matter.needs.place_count; i++)
        home = home && matter.needs.places[i].directory;
    return home;
}

bool judge_sources(const struct judge_input *input, struct names *ret_hosts, struct error *err)
{
    CLEANUP(matter_done) struct matter matter = {0};

    if (!read_reference(input->request, &matter, err) || !find_needs(input, &matter, err) || !fill_places(&matter, err))
        return false;
    for (size_t i = 0; i < matter.needs.place_count; i++) {
        const char *host = matter.places[i].host;
        bool known = strcmp(host, matter.ref.host) == 0 || strcmp(host, STORE_HOST) == 0;

        for (size_t j = 0; !known && j < ret_hosts->count; j++)
            known = strcmp(host, ret_hosts->items[j]) == 0;
        if (!known && !names_add(ret_hosts, host))
            return error_oom(err);
    }
    return true;
}

/* request.member must stand in the manifests of the image, which then is an index (OCI image specification,
 * image-index). */
static bool check_member(const struct judge_input *input, const struct evidence_set *evidence,
                         const struct matter *matter, struct error *err)
{
    char digest[DIGEST_TEXT_BYTES];
    const struct evidence *index;
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *manifests;

    if (member_is_image(input, matter))
        return true;
    index = find_index(input, evidence, matter, digest);
    if (!index)
        return error_set(err, REASON_FETCH_FAILED, "the index %s was not fetched", digest);
    if (index->status != EVIDENCE_FOUND)
        return fail_answer(index, "the index", err);
    if (!digest_matches(&matter->image, index->body))
        return error_set(err, REASON_DIGEST_MISMATCH, "the index has not the digest it was asked for by");
    if (!json_parse(index->body, "the index", TREE_NO_PLACES, &tree, err))
        return false;
    manifests = node_get(tree_root(tree), "manifests");
    for (const struct node *item = node_is(manifests, NODE_LIST) ? manifests->child : NULL; item; item = item->next)
        if (node_str_is(node_get(item, "digest"), input->request->member))
            return true;
    return error_set(err, REASON_NOT_FOUND, "the image %s does not list the manifest that is in use", digest);
}

/* The word allow is said here and nowhere else (design rule 1; tests/lint holds it). */
static struct verdict pronounce(const struct policy_decision *decision, const struct digest *image)
{
    if (!decision->satisfied || !reason_allows(decision->reason) || image->alg == DIGEST_NONE)
        return (struct verdict){VERDICT_WIRE_DENY};
    return (struct verdict){VERDICT_WIRE_ALLOW};
}

static void fill_response(const struct judge_input *input, const struct matter *matter,
                          struct policy_decision *decision, struct response *ret)
{
    char line[LIMIT_REASON_LINE_BYTES + 1];
    char digest[DIGEST_TEXT_BYTES];
    struct response response = {0};

    response.reason = decision->reason;
    if (!decision->satisfied && reason_allows(decision->reason))
        response.reason = REASON_INTERNAL;
    response.warned = decision->satisfied && decision->warned;
    response.message = mem_strdup(text_clean(span_str(decision->message), line, sizeof(line)));
    response.policy = TAKE_PTR(decision->policy);
    response.authority = TAKE_PTR(decision->authority);
    response.key_id = TAKE_PTR(decision->key_id);
    response.report = TAKE_PTR(decision->report);
    response.digest = mem_strdup(digest_format(&matter->image, digest));
    response.policy_sha256 = mem_strdup(policy_set_fingerprint(input->policies));
    *ret = response;
    if (response.digest) /* without memory for the digest there is no allow */
        ret->verdict = pronounce(decision, &matter->image);
}

/* May an allow be given before the search is complete? */
static bool may_end_early(const struct judge_input *input, const struct policy_decision *decision)
{
    /* What is let through by warn mode now may be satisfied properly by what still comes; reports tell everything
     * found. */
    return decision->satisfied && !decision->warned && !(input->request->flags & REQUEST_REPORT) &&
           !input->request->member;
}

static bool consider(const struct judge_input *input, const struct evidence_set *evidence, bool final,
                     struct matter *matter, struct policy_decision *decision, struct error *err)
{
    CLEANUP(claims_done) struct claims claims = {0};
    bool report = final && (input->request->flags & REQUEST_REPORT) != 0;

    if (!work_out(input, evidence, matter, err))
        return false;
    if (!matter->resolved)
        return error_set(err, REASON_FETCH_FAILED, "the image's digest is not known and may not be looked up");
    if (final && !check_member(input, evidence, matter, err))
        return false;
    claims.image = matter->image;
    if (!matter->needs.nothing && !verify_claims(&matter->input, evidence, &claims, err))
        return false;
    return policy_decide(input->policies, &matter->known, &claims, &matter->needs, input->no_match, input->now, report,
                         decision, err);
}

static void deny(struct response *ret, const struct judge_input *input, const struct matter *matter,
                 const struct error *err)
{
    char digest[DIGEST_TEXT_BYTES];

    response_deny(ret, err->reason, err->text);
    ret->policy_sha256 = mem_strdup(policy_set_fingerprint(input->policies));
    if (matter->image.alg != DIGEST_NONE)
        ret->digest = mem_strdup(digest_format(&matter->image, digest));
}

bool judge_decide(const struct judge_input *input, const struct evidence_set *evidence, bool final,
                  struct response *ret)
{
    CLEANUP(matter_done) struct matter matter = {0};
    CLEANUP(policy_decision_done) struct policy_decision decision = {0};
    struct error err = ERROR_INIT;

    if (!consider(input, evidence, final, &matter, &decision, &err)) {
        if (final)
            deny(ret, input, &matter, &err);
        return final;
    }
    if (input->request->flags & REQUEST_COLLECT) {
        if (!final)
            return false;
        (void)error_set(&err, REASON_COLLECTED, "collected %zu objects; nothing was decided", evidence->count);
        deny(ret, input, &matter, &err);
        return true;
    }
    if (!final && !may_end_early(input, &decision))
        return false;
    fill_response(input, &matter, &decision, ret);
    return true;
}
