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

enum { SECOND_QUESTION_MS = 500 }; /* with less left, the second answer would be its time-out */

static bool copy_to(char **place, const char *text)
{
    *place = mem_strdup(text);
    return !text || *place;
}

/* The image library waits for ever: the wait is ours to end, for both questions together. */
struct inquiry {
    const struct endorser *endorser;
    const struct lookaside_request *request;
    const struct pull *pull; /* NULL = the auth helper told nothing */
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

/* By its own signature: under the tag the user wrote, when it is known and fits, since policies may speak of tags. */
static bool ask_for_platform(const struct inquiry *inquiry, struct response *ret)
{
    const struct lookaside_request *request = inquiry->request;
    char *by_digest CLEANUP(mem_freep) = mem_printf("%s@%s", request->repository, request->digest);
    bool tagged = inquiry->pull && !strchr(inquiry->pull->reference, '@');

    return by_digest &&
           ask(inquiry, tagged ? inquiry->pull->reference : by_digest, request->digest, NULL, ret);
}

/* First what the user asked for, as tag or index; then the platform manifest's own signature. */
static bool decide(const struct inquiry *inquiry, struct response *ret)
{
    struct response own CLEANUP(response_done) = {0};
    bool allowed;

    if (!inquiry->pull)
        return ask_for_platform(inquiry, ret);
    if (ask(inquiry, inquiry->pull->reference, NULL, inquiry->request->digest, ret))
        return true;
    if (deadline_left_ms(inquiry->deadline) < SECOND_QUESTION_MS)
        return false;
    allowed = ask_for_platform(inquiry, &own);
    /* Of two refusals, the one about what the user asked for says more, unless no policy knew it by that name. */
    if (allowed || ret->reason == REASON_NO_MATCH) {
        response_done(ret);
        *ret = own;
        own = (struct response){0};
    }
    return allowed;
}

static void answer_endorsement(const struct endorser *endorser, const struct lookaside_request *request,
                               struct buf *ret)
{
    struct buf payload CLEANUP(buf_free) = BUF_INIT(LIMIT_PAYLOAD_BYTES);
    struct buf signature CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    struct buf body CLEANUP(buf_free) = BUF_INIT(2 * LIMIT_PAYLOAD_BYTES);
    struct privkey *opened CLEANUP(privkey_freep) = NULL;
    const struct privkey *key = endorser->node_key;
    struct error err = ERROR_INIT;

    if (!key && node_key_open(endorser->root, &opened, &err))
        key = opened;
    lookaside_payload(request, &payload);
    if (!key || !buf_ok(&payload) || !privkey_sign(key, buf_as_span(&payload), &signature, &err)) {
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
static const struct pull *find_pull(struct endorser *endorser, const struct lookaside_request *request)
{
    struct ref ref CLEANUP(ref_done) = {0};
    struct error ignored = ERROR_INIT;
    bool parsed = ref_parse_repository(span_str(request->repository), &ref, &ignored);

    return pulls_find(&endorser->pulls, parsed ? ref.name : request->repository, mono_ms());
}

void endorse(struct endorser *endorser, struct span target, struct buf *ret)
{
    struct lookaside_request request CLEANUP(lookaside_request_done) = {0};
    struct response response CLEANUP(response_done) = {0};
    struct inquiry inquiry = {.endorser = endorser, .request = &request, .deadline = mono_ms() + CLIENT_DEADLINE_MS};
    struct error err = ERROR_INIT;

    if (!lookaside_parse_target(target, &request, &err)) {
        http_refuse(ret, 400, err.text);
        return;
    }
    if (request.number > 1) {
        http_respond(ret, 404, NULL, span_str(""));
        return;
    }
    inquiry.pull = find_pull(endorser, &request);
    if (decide(&inquiry, &response))
        answer_endorsement(endorser, &request, ret);
    else
        answer_refusal(&response, ret);
}
