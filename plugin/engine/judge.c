/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/judge.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "plugin/engine/matter.h"
#include "verifier/store.h"

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

    if (!matter_work_out(input, evidence, &matter, err))
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

    if ((input->request->flags & REQUEST_COLLECT) || !matter_read(input->request, &matter, &ignored) ||
        matter.image.alg == DIGEST_NONE || !member_is_image(input, &matter) ||
        !matter_find_needs(input, &matter, &ignored))
        return false;
    home = true;
    for (size_t i = 0; !matter.needs.nothing && i < matter.needs.place_count; i++)
        home = home && matter.needs.places[i].directory;
    return home;
}

bool judge_sources(const struct judge_input *input, struct names *ret_hosts, struct error *err)
{
    CLEANUP(matter_done) struct matter matter = {0};

    if (!matter_read(input->request, &matter, err) || !matter_find_needs(input, &matter, err) ||
        !matter_fill_places(&matter, err))
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
        return matter_fail(index, "the index", err);
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

    if (!matter_work_out(input, evidence, matter, err))
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
