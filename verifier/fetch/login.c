/* SPDX-License-Identifier: Apache-2.0 */
/* Logging a look-up in: what it sends unasked, what a 401 leads to, and the token requests in flight. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/fetch/fetcher.h"
#include "verifier/fetch/parser.h"
#include "verifier/fetch/url.h"

enum { LOGINS_MAX = 2, TEXT_BYTES = 256 };

void token_request_free(struct token_request *request)
{
    exchange_free(request->fetcher->multi, &request->exchange);
    auth_secret_freep(&request->key);
    mem_free(request->service);
    mem_free(request->scope);
    mem_free(request);
}

static void token_unlink(struct token_request *request)
{
    struct token_request **link = &request->fetcher->tokens;

    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
}

static bool token_status_error(const struct token_request *request, struct error *err)
{
    const struct exchange *exchange = &request->exchange;
    char *said CLEANUP(mem_freep) = parser_ask_error_text(request->fetcher->parser_fd, buf_as_span(&exchange->body));
    long status = exchange->status;
    bool refused = status == 400 || status == 401 || status == 403 || status == 404;

    return error_set(err, refused ? REASON_UNAUTHORIZED : REASON_FETCH_FAILED,
                     "its token service %s, asked for %.120s, answered HTTP %ld%s%s%s", request->service,
                     request->scope, status, said ? " (" : "", said ? said : "", said ? ")" : "");
}

static bool token_result(const struct token_request *request, struct token_answer *ret, struct error *err)
{
    const struct exchange *exchange = &request->exchange;
    char got[TEXT_BYTES];
    const char *advice;
    enum reason reason;

    if ((exchange->result != CURLE_OK || exchange->trouble != TROUBLE_NONE) && exchange->status < 300) {
        reason = outcome_transport(exchange, got, sizeof(got), &advice);
        return error_set(err, reason, "its token service %s: %s", request->service, got);
    }
    if (exchange->status != 200)
        return token_status_error(request, err);
    if (!parser_ask_token(request->fetcher->parser_fd, buf_as_span(&exchange->body), ret, err))
        return error_wrap(err, "its token service %s", request->service);
    return true;
}

/* Hands the result to everybody who waits for it. A look-up may start new requests meanwhile: the list is read anew. */
static void token_done(struct exchange *exchange)
{
    struct token_request *request = exchange->owner;
    struct fetcher *fetcher = request->fetcher;
    struct token_answer answer CLEANUP(token_answer_done) = {0};
    struct error why = ERROR_INIT;
    bool ok = token_result(request, &answer, &why) &&
              auth_token_put(&fetcher->auth, request->key, &answer, mono_ms(), &why);

    token_unlink(request);
    fetcher_wear(fetcher, exchange);
    for (struct running *running = fetcher->jobs; running; running = running->next)
        for (size_t i = 0; i < running->count; i++) {
            struct lookup *lookup = &running->lookups[i];

            if (lookup->state != LOOKUP_WAITS_TOKEN || lookup->waits_for != request)
                continue;
            lookup->waits_for = NULL;
            if (ok)
                lookup_token_ready(lookup, answer.token);
            else
                lookup_token_failed(lookup, &why);
        }
    token_request_free(request);
}

static struct token_request *token_in_flight(const struct fetcher *fetcher, const char *key)
{
    for (struct token_request *request = fetcher->tokens; request; request = request->next)
        if (strcmp(request->key, key) == 0)
            return request;
    return NULL;
}

static bool token_exchange(struct lookup *lookup, const struct auth_hint *hint, struct token_request *request,
                           struct error *err)
{
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    struct auth_request made CLEANUP(auth_request_done) = {0};
    struct url_parts realm CLEANUP(url_parts_done) = {0}, own CLEANUP(url_parts_done) = {0};
    bool loopback = fetch_host_is_loopback(lookup->want->host) || lookup->exchange.peer_is_loopback;
    struct exchange_request wanted = {
        .accept = "application/json",
        .job = &lookup->running->job,
        .endpoint = endpoint,
        .loopback_allowed = loopback,
        .max_bytes = LIMIT_TOKEN_BYTES,
        .budget = &request->budget,
        .deadline = lookup->endpoint_deadline,
    };

    if (!url_split(hint->realm, &realm, err) || !url_split(lookup->url, &own, err) ||
        !auth_request_make(hint, &endpoint->credentials, lookup->url, loopback, &made, err))
        return false;
    request->service = mem_strdup(realm.host);
    request->scope = mem_strdup(hint->scope);
    if (!request->service || !request->scope)
        return error_oom(err);
    wanted.url = made.url;
    wanted.form = made.form;
    wanted.authorization = made.authorization;
    wanted.own_host = url_same_origin(&realm, &own);
    return exchange_start(lookup->running->fetcher->multi, &wanted, &request->exchange, err);
}

/* Waits for the token of `key`, asking for it when nobody has. */
static bool wait_for_token(struct lookup *lookup, const struct auth_hint *hint, const char *key, struct error *err)
{
    struct fetcher *fetcher = lookup->running->fetcher;
    struct token_request *request = token_in_flight(fetcher, key);

    if (!request) {
        request = mem_new(1, sizeof(*request));
        if (!request)
            return error_oom(err);
        request->fetcher = fetcher;
        request->key = mem_strdup(key);
        request->budget = LIMIT_TOKEN_BYTES;
        request->exchange.done = token_done;
        request->exchange.owner = request;
        if (!request->key || !token_exchange(lookup, hint, request, err)) {
            token_request_free(request);
            return false;
        }
        request->next = fetcher->tokens;
        fetcher->tokens = request;
        lookup->running->counters.requests++;
        lookup->running->counters.auth_requests++;
    }
    lookup->waits_for = request;
    lookup->state = LOOKUP_WAITS_TOKEN;
    lookup->depth++;
    lookup->auth_depth++;
    return true;
}

static enum login bearer_with(struct lookup *lookup, const char *token, char **ret_authorization, struct error *err)
{
    char *copy = mem_strdup(token), *value = auth_bearer_value(token);

    if (!copy || !value) {
        auth_secret_freep(&copy);
        auth_secret_freep(&value);
        error_oom(err);
        return LOGIN_FAILED;
    }
    if (lookup->token != token)
        auth_secret_freep(&lookup->token);
    lookup->token = copy;
    *ret_authorization = value;
    return LOGIN_READY;
}

static enum login with_token_of(struct lookup *lookup, const struct auth_hint *hint, char **ret_authorization,
                                struct error *err)
{
    struct fetcher *fetcher = lookup->running->fetcher;
    char *key CLEANUP(auth_secret_freep) = auth_token_key(hint, &lookup_endpoint(lookup)->credentials);
    const char *token;

    if (!key) {
        error_oom(err);
        return LOGIN_FAILED;
    }
    token = auth_token_find(&fetcher->auth, key, mono_ms());
    if (token)
        return bearer_with(lookup, token, ret_authorization, err);
    return wait_for_token(lookup, hint, key, err) ? LOGIN_WAIT : LOGIN_FAILED;
}

enum login login_prepare(struct lookup *lookup, char **ret_authorization, struct error *err)
{
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    char *place CLEANUP(auth_secret_freep) = NULL;
    const struct auth_hint *hint;

    *ret_authorization = NULL;
    lookup->basic_sent = false;
    if (!lookup->own_host) /* never to another host (design: boundaries) */
        return LOGIN_READY;
    if (endpoint->credentials.registry_token)
        return bearer_with(lookup, endpoint->credentials.registry_token, ret_authorization, err);
    if (lookup->token_fresh) {
        *ret_authorization = auth_bearer_value(lookup->token);
        return LOGIN_READY;
    }
    place = auth_place(endpoint, lookup->want->repository);
    hint = place ? auth_hint_find(&lookup->running->fetcher->auth, place) : NULL;
    if (!hint)
        return LOGIN_READY;
    if (!hint->basic)
        return with_token_of(lookup, hint, ret_authorization, err);
    *ret_authorization = auth_basic_value(&endpoint->credentials);
    lookup->basic_sent = *ret_authorization != NULL;
    return LOGIN_READY;
}

static bool refused(const struct lookup *lookup, const struct challenge *challenge, struct error *err)
{
    const struct fetch_credentials *credentials = &lookup_endpoint(lookup)->credentials;
    bool any = credentials->username || credentials->identity_token || credentials->registry_token;

    if (challenge->error && strcmp(challenge->error, "insufficient_scope") == 0)
        return error_set(err, REASON_UNAUTHORIZED, "got HTTP 401: what we logged in with may not read it");
    return error_set(err, REASON_UNAUTHORIZED, "got HTTP 401 %s",
                     any ? "although logged in" : "and have no credentials for it");
}

/* The token that did not do, if it came from the cache, is forgotten there; another may be asked for. */
static bool bearer_again(struct lookup *lookup, const struct auth_hint *hint, struct error *err)
{
    struct fetcher *fetcher = lookup->running->fetcher;
    char *key CLEANUP(auth_secret_freep) = auth_token_key(hint, &lookup_endpoint(lookup)->credentials);
    const char *cached;

    if (!key)
        return error_oom(err);
    cached = auth_token_find(&fetcher->auth, key, mono_ms());
    if (cached && lookup->token && strcmp(cached, lookup->token) == 0) {
        auth_token_drop(&fetcher->auth, key);
        cached = NULL;
    }
    if (!cached)
        return wait_for_token(lookup, hint, key, err);
    lookup->state = LOOKUP_QUEUED; /* another look-up got it meanwhile */
    return true;
}

/*
 * A remembered token that no longer does is replaced by the way it was got. What the 401 says is not looked at: Harbor
 * answers "Basic" to whoever sends an expired token (goharbor/harbor issue 18856).
 */
static bool renew_token(struct lookup *lookup, const char *place, bool *ret_ok, struct error *err)
{
    const struct auth_hint *hint = auth_hint_find(&lookup->running->fetcher->auth, place);

    if (!hint || hint->basic || !lookup->token || lookup->token_fresh || lookup->logins > 0)
        return false;
    lookup->logins++;
    *ret_ok = bearer_again(lookup, hint, err);
    return true;
}

/*
 * ECR Public answers 400 "DENIED" to a token that has ended (oras-project/oras-go issue 1227), others 403 to one from
 * before the access was granted. For referrers 400 would pass as "no such API", so this is asked about first.
 */
bool login_renew(struct lookup *lookup)
{
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    char *said CLEANUP(mem_freep) = NULL;
    char *place CLEANUP(auth_secret_freep) = NULL;
    struct error ignored = ERROR_INIT;
    bool ok = false;

    if (!lookup->token || lookup->token_fresh || endpoint->credentials.registry_token)
        return false;
    said = parser_ask_error_text(lookup->running->fetcher->parser_fd, buf_as_span(&lookup->exchange.body));
    if (!said || (!span_starts(span_str(said), "DENIED") && !span_starts(span_str(said), "UNAUTHORIZED")))
        return false;
    place = auth_place(endpoint, lookup->want->repository);
    if (!place || !renew_token(lookup, place, &ok, &ignored) || !ok)
        return false;
    lookup->auth_depth++;
    lookup->running->counters.auth_requests++;
    return true;
}

void login_forget(struct lookup *lookup)
{
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    char *place CLEANUP(auth_secret_freep) = auth_place(endpoint, lookup->want->repository);

    if (place)
        auth_hint_drop(&lookup->running->fetcher->auth, place);
}

bool login_again(struct lookup *lookup, struct error *err)
{
    struct fetcher *fetcher = lookup->running->fetcher;
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    struct challenge challenge CLEANUP(challenge_done) = {0};
    char *place CLEANUP(auth_secret_freep) = auth_place(endpoint, lookup->want->repository);
    const char *repository = endpoint->repository ? endpoint->repository : lookup->want->repository;
    const struct auth_hint *hint;
    bool ok;

    lookup->auth_depth++;
    lookup->running->counters.auth_requests++;
    if (!place)
        return error_oom(err);
    if (renew_token(lookup, place, &ok, err))
        return ok;
    if (lookup->exchange.challenge.len == 0)
        return error_set(err, REASON_UNAUTHORIZED, "got HTTP 401 that does not say how to log in");
    if (!parser_ask_challenge(fetcher->parser_fd, buf_as_span(&lookup->exchange.challenge), &challenge, err))
        return error_wrap(err, "got HTTP 401 with a broken challenge");
    if (lookup->token_fresh || lookup->basic_sent || lookup->logins >= LOGINS_MAX ||
        endpoint->credentials.registry_token || (!challenge.bearer && !auth_can_basic(&endpoint->credentials))) {
        auth_hint_drop(&fetcher->auth, place);
        return refused(lookup, &challenge, err);
    }
    lookup->logins++;
    hint = auth_hint_put(&fetcher->auth, place, &challenge, repository);
    if (!hint)
        return error_oom(err);
    if (!hint->basic)
        return bearer_again(lookup, hint, err);
    lookup->state = LOOKUP_QUEUED;
    return true;
}
