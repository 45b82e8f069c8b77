/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an endorsement cannot be put under another image: it is signed over (repository, digest) by this node's key, the
 * image library compares the digest with the manifest it fetched, and the digest is the one that was asked about. With
 * the reference known (auth helper), a signature on the index counts for exactly those manifests whose digests stand in
 * the index's own bytes, which are checked against the index digest that was signed.
 */
#include "plugin/crio/endorse.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/client.h"
#include "plugin/crio/http.h"
#include "plugin/crio/lookaside.h"
#include "plugin/crio/node_key.h"
#include "verifier/ref.h"

enum {
    PULLS_ASKED = 8,         /* of one repository at the same time */
    NEXT_QUESTION_MS = 500, /* with less left, the next answer would be its time-out */
};

static bool copy_to(char **place, const char *text)
{
    *place = mem_strdup(text);
    return !text || *place;
}

/* The image library waits for ever: the wait is ours to end, for all questions together. */
struct inquiry {
    const struct endorser *endorser;
    const struct lookaside_request *request;
    const struct pull *pull; /* whose credentials are used; NULL = the auth helper told nothing */
    int64_t deadline;
};

static bool ask(const struct inquiry *inquiry, const char *reference, const char *digest, const char *member,
                struct response *ret)
{
    const struct pull *pull = inquiry->pull;
    struct client_options options = {.root = inquiry->endorser->root};
    struct request request CLEANUP(request_done) = {.operation = OPERATION_PULL,
                                                    .deadline_ms = (uint32_t)deadline_left_ms(inquiry->deadline)};
    bool filled = copy_to(&request.runtime, "lookaside") && copy_to(&request.reference, reference) &&
                  copy_to(&request.digest, digest) && copy_to(&request.member, member);

    if (filled && pull)
        filled = copy_to(&request.username, pull->username) && copy_to(&request.password, pull->password) &&
                 copy_to(&request.identity_token, pull->identity_token);
    return filled && client_ask(&options, &request, ret);
}

/* Is there time for one more? */
static bool may_ask(const struct inquiry *inquiry)
{
    return deadline_left_ms(inquiry->deadline) >= NEXT_QUESTION_MS;
}

/*
 * By its own signature: under the tag the user wrote, since policies may speak of tags, but only when that tag is known
 * to lead to this manifest. Otherwise whoever may pull one tag of a repository could have any image of it endorsed.
 */
static bool ask_for_platform(const struct inquiry *inquiry, bool fits, struct response *ret)
{
    const struct lookaside_request *request = inquiry->request;
    char *by_digest CLEANUP(mem_freep) = mem_printf("%s@%s", request->repository, request->digest);
    bool tagged = fits && !strchr(inquiry->pull->reference, '@');

    return by_digest && ask(inquiry, tagged ? inquiry->pull->reference : by_digest, request->digest, NULL, ret);
}

static void replace(struct response *place, struct response *with)
{
    response_done(place);
    *place = *with;
    *with = (struct response){0};
}

/*
 * What the user asked for, as tag or index. Several pulls of one repository may be under way, and the request does not
 * say which of them it belongs to: the one whose image is, or lists, the manifest. *ret_fits: inquiry->pull is that
 * one, and a policy had its say (judge.c looks at the index first). ret has that one's refusal, or the newest's.
 */
static bool ask_for_pulls(struct inquiry *inquiry, const struct pull *const *pulls, size_t count, bool *ret_fits,
                          struct response *ret)
{
    *ret_fits = false;
    for (size_t i = 0; i < count && !*ret_fits && (i == 0 || may_ask(inquiry)); i++) {
        struct response one CLEANUP(response_done) = {0};
        bool allowed;

        inquiry->pull = pulls[i];
        allowed = ask(inquiry, pulls[i]->reference, NULL, inquiry->request->digest, &one);
        *ret_fits = one.policy != NULL;
        if (i == 0 || allowed || *ret_fits)
            replace(ret, &one);
        if (allowed)
            return true;
    }
    if (!*ret_fits)
        inquiry->pull = count > 0 ? pulls[0] : NULL;
    return false;
}

/* First what the user asked for; then the platform manifest's own signature. */
static bool decide(struct inquiry *inquiry, const struct pull *const *pulls, size_t count, struct response *ret)
{
    struct response own CLEANUP(response_done) = {0};
    bool fits, allowed;

    if (ask_for_pulls(inquiry, pulls, count, &fits, ret))
        return true;
    if (count > 0 && !may_ask(inquiry))
        return false;
    allowed = ask_for_platform(inquiry, fits, &own);
    /* Of two refusals, the one about what the user asked for says more, unless no policy knew it by that name. */
    if (allowed || count == 0 || ret->reason == REASON_NO_MATCH)
        replace(ret, &own);
    return allowed;
}

static void answer_endorsement(const struct endorser *endorser, const struct lookaside_request *request,
                               struct buf *ret)
{
    struct buf payload CLEANUP(buf_free) = BUF_INIT(LIMIT_PAYLOAD_BYTES);
    struct buf signature CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    struct buf body CLEANUP(buf_free) = BUF_INIT(2 * LIMIT_PAYLOAD_BYTES);
    struct error err = ERROR_INIT;

    lookaside_payload(request, &payload);
    if (!buf_ok(&payload) ||
        !node_key_sign(endorser->root, endorser->node_key, buf_as_span(&payload), &signature, &err)) {
        http_refuse(ret, 503, err.text[0] ? err.text : "the node key could not sign (internal)");
        return;
    }
    lookaside_signature(buf_as_span(&payload), buf_as_span(&signature), &body);
    if (buf_ok(&body))
        http_respond(ret, 200, NULL, buf_as_span(&body));
    else
        http_refuse(ret, 503, "out of memory");
}

static void answer_refusal(const struct response *response, struct buf *ret)
{
    bool undecided = response->reason == REASON_UNAVAILABLE || response->reason == REASON_TIMEOUT ||
                     response->reason == REASON_INTERNAL;

    http_refuse(ret, undecided ? 503 : 403,
                response->message ? response->message : "refused without a reason (internal)");
}

/* The helper's references are kept under canonical names; the path may say docker.io where those say index.docker.io.
 */
static size_t find_pulls(struct endorser *endorser, const struct lookaside_request *request,
                         const struct pull *ret[PULLS_ASKED])
{
    struct ref ref CLEANUP(ref_done) = {0};
    struct error ignored = ERROR_INIT;
    bool parsed = ref_parse_repository(span_str(request->repository), &ref, &ignored);

    return pulls_find(&endorser->pulls, parsed ? ref.name : request->repository, mono_ms(), ret, PULLS_ASKED);
}

void endorse(struct endorser *endorser, struct span target, struct buf *ret)
{
    struct lookaside_request request CLEANUP(lookaside_request_done) = {0};
    struct response response CLEANUP(response_done) = {0};
    struct inquiry inquiry = {.endorser = endorser, .request = &request, .deadline = mono_ms() + CLIENT_DEADLINE_MS};
    const struct pull *pulls[PULLS_ASKED];
    struct error err = ERROR_INIT;

    if (!lookaside_parse_target(target, &request, &err)) {
        http_refuse(ret, 400, err.text);
        return;
    }
    if (request.number > 1) {
        http_respond(ret, 404, NULL, span_str(""));
        return;
    }
    if (decide(&inquiry, pulls, find_pulls(endorser, &request, pulls), &response))
        answer_endorsement(endorser, &request, ret);
    else
        answer_refusal(&response, ret);
}
