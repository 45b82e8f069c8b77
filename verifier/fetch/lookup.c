/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One want on its way: endpoint after endpoint, and at each of them requests, redirects, logins and the few retries
 * that make sense, until there is an answer.
 */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/fetch/fetcher.h"
#include "verifier/fetch/url.h"

enum {
    RETRIES_MAX = 1,
    RETRY_DELAY_MS = 200,       /* a restarting registry behind a balancer is usually back by then */
    TOO_MANY_DELAY_MS = 1000,   /* 429 that does not say how long */
    MIRROR_CONNECT_MS = 3000,   /* a dead mirror must leave time for the next endpoint */
    RETRY_LEFT_MS = 300,        /* what a retry needs beyond its delay */
};

static void lookup_complete(struct exchange *exchange);
static void endpoint_enter(struct lookup *lookup);

const struct fetch_endpoint *lookup_endpoint(const struct lookup *lookup)
{
    if (!lookup->registry || lookup->endpoint >= lookup->registry->count)
        return NULL;
    return &lookup->registry->endpoints[lookup->endpoint];
}

/* The registry of the job that fits the want best: host and repository, else host. */
static const struct fetch_registry *find_registry(const struct fetch_job *job, const struct want *want)
{
    const struct fetch_registry *best = NULL;

    for (size_t i = 0; i < job->registry_count; i++) {
        const struct fetch_registry *registry = &job->registries[i];

        if (strcmp(registry->host, want->host) != 0)
            continue;
        if (registry->repository && strcmp(registry->repository, want->repository) == 0)
            return registry;
        if (!registry->repository)
            best = registry;
    }
    return best;
}

/* Tags need the capability to resolve, digests to pull (containerd.md section 7, "Use"). */
static uint32_t needed_capability(const struct want *want)
{
    switch (want->kind) {
    case WANT_REFERRERS:
    case WANT_PAGE:
        return FETCH_CAN_REFERRERS;
    case WANT_MANIFEST:
        return strchr(want->target, ':') ? FETCH_CAN_PULL : FETCH_CAN_PULL | FETCH_CAN_RESOLVE;
    case WANT_BLOB:
    default:
        return FETCH_CAN_PULL;
    }
}

static size_t next_endpoint(const struct lookup *lookup, size_t from)
{
    uint32_t needed = needed_capability(lookup->want);
    const char *lister = NULL;

    /* A page is asked for where the listing came from: its address means something there only. */
    if (lookup->want->kind == WANT_PAGE)
        lister = fact_get(lookup->running->fetcher, FACT_LISTER, lookup->want->host, lookup->want->repository);
    for (size_t i = from; i < lookup->registry->count; i++) {
        const struct fetch_endpoint *endpoint = &lookup->registry->endpoints[i];

        if ((endpoint->flags & needed) == needed && (!lister || strcmp(lister, endpoint->url) == 0))
            return i;
    }
    return lookup->registry->count;
}

void lookup_init(struct lookup *lookup, struct running *running, const struct want *want)
{
    *lookup = (struct lookup){.running = running, .want = want};
    lookup->registry = find_registry(&running->job, want);
    lookup->exchange.done = lookup_complete;
    lookup->exchange.owner = lookup;
    if (lookup->registry)
        lookup->endpoint = next_endpoint(lookup, 0);
    if (lookup_endpoint(lookup))
        endpoint_enter(lookup);
}

static void request_forget(struct lookup *lookup)
{
    exchange_free(lookup->running->fetcher->multi, &lookup->exchange);
}

static void endpoint_enter(struct lookup *lookup)
{
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    int64_t now = mono_ms(), deadline = lookup->running->job.deadline;

    /* Whoever is not the last may use half of what is left, so that the others get their turn. */
    if (next_endpoint(lookup, lookup->endpoint + 1) < lookup->registry->count && deadline > now)
        deadline = now + (deadline - now) / 2;
    lookup->endpoint_deadline = deadline;
    mem_free(lookup->url);
    lookup->url = NULL;
    auth_secret_freep(&lookup->token);
    lookup->token_fresh = lookup->basic_sent = lookup->scheme_switched = false;
    lookup->logins = lookup->redirects = lookup->retries = 0;
    lookup->own_host = true;
    lookup->scheme = NULL;
    if (endpoint->flags & FETCH_EITHER_SCHEME) {
        const char *known = fact_get(lookup->running->fetcher, FACT_SCHEME, endpoint->url, "");

        lookup->scheme_switched = known != NULL;
        if (known)
            lookup->scheme = strcmp(known, "https") == 0 ? "https" : "http";
    }
    lookup->state = LOOKUP_QUEUED;
    lookup->resume_at = 0;
}

static void finish(struct lookup *lookup, struct evidence *evidence)
{
    struct fetch_counters *counters = &lookup->running->counters;

    lookup->state = LOOKUP_DONE;
    counters->bytes += evidence->body.len;
    if (lookup->depth > counters->depth) {
        counters->depth = lookup->depth;
        counters->auth_depth = lookup->auth_depth;
    }
    if (evidence->status == EVIDENCE_FOUND && lookup->want->kind == WANT_REFERRERS)
        fact_put(lookup->running->fetcher, FACT_LISTER, lookup->want->host, lookup->want->repository,
                 lookup_endpoint(lookup)->url);
    lookup->running->left--;
    fetcher_answer(lookup->running, evidence);
    evidence_done(evidence);
    lookup_done(lookup);
}

/* This endpoint has answered. Anything but the object itself is asked of the next one too (containerd.md section 7). */
static void answered(struct lookup *lookup, struct evidence *evidence)
{
    size_t next = evidence->status == EVIDENCE_FOUND || lookup->want->kind == WANT_PAGE
                      ? SIZE_MAX
                      : next_endpoint(lookup, lookup->endpoint + 1);

    evidence_done(&lookup->held);
    if (next >= lookup->registry->count || deadline_left_ms(lookup->running->job.deadline) == 0) {
        finish(lookup, evidence);
        return;
    }
    evidence_done(evidence);
    request_forget(lookup);
    lookup->endpoint = next;
    endpoint_enter(lookup);
}

static void fail(struct lookup *lookup, const struct error *why, const char *advice)
{
    struct evidence evidence = {0};

    outcome_failed(lookup, why, advice, &evidence);
    answered(lookup, &evidence);
}

static const char *accept_of(const struct want *want)
{
    switch (want->kind) {
    case WANT_MANIFEST:
        return "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
               "application/vnd.docker.distribution.manifest.v2+json, "
               "application/vnd.docker.distribution.manifest.list.v2+json";
    case WANT_REFERRERS:
        return "application/vnd.oci.image.index.v1+json";
    case WANT_PAGE:
        return "application/vnd.oci.image.index.v1+json, */*;q=0.1";
    case WANT_BLOB:
    default:
        return "*/*";
    }
}

static bool send_request(struct lookup *lookup, const char *authorization, struct error *err)
{
    struct running *running = lookup->running;
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    bool last = next_endpoint(lookup, lookup->endpoint + 1) >= lookup->registry->count;
    uint64_t max_bytes = lookup->want->max_bytes;
    struct exchange_request request = {
        .url = lookup->url,
        .accept = accept_of(lookup->want),
        .authorization = authorization,
        .job = &running->job,
        .endpoint = endpoint,
        .own_host = lookup->own_host,
        /* The user may name what he likes but metadata; a redirect's target is the registry's idea. */
        .loopback_allowed = lookup->own_host || fetch_host_is_loopback(lookup->want->host) ||
                            lookup->exchange.peer_is_loopback,
        .max_bytes = max_bytes > 0 && max_bytes < LIMIT_ATTESTATION_BYTES ? max_bytes : LIMIT_ATTESTATION_BYTES,
        .budget = &running->budget,
        .deadline = lookup->endpoint_deadline,
        .connect_ms = endpoint->connect_ms > 0 ? endpoint->connect_ms : last ? 0 : MIRROR_CONNECT_MS,
    };

    request_forget(lookup);
    if (!exchange_start(running->fetcher->multi, &request, &lookup->exchange, err))
        return false;
    lookup->state = LOOKUP_RUNNING;
    running->fetcher->active++;
    running->counters.requests++;
    lookup->depth++;
    return true;
}

void lookup_start(struct lookup *lookup)
{
    struct error err = ERROR_INIT;
    char *authorization CLEANUP(auth_secret_freep) = NULL;
    struct evidence evidence = {0};

    if (!lookup_endpoint(lookup)) {
        if (lookup->registry && lookup->want->kind == WANT_REFERRERS)
            evidence = (struct evidence){.id = lookup->want->id, .status = EVIDENCE_ABSENT, .reason = REASON_OK};
        else
            outcome_error(lookup, REASON_FETCH_FAILED, "have no endpoint to ask", "check the mirrors configured for it",
                          &evidence);
        finish(lookup, &evidence);
        return;
    }
    if (!lookup->url)
        lookup->url = url_of_want(lookup_endpoint(lookup), lookup->scheme, lookup->want, &err);
    if (!lookup->url || !url_check_literal(lookup->url, &err)) {
        fail(lookup, &err, "check the reference");
        return;
    }
    switch (login_prepare(lookup, &authorization, &err)) {
    case LOGIN_READY:
        if (!send_request(lookup, authorization, &err))
            fail(lookup, &err, "try again");
        return;
    case LOGIN_WAIT:
        return;
    case LOGIN_FAILED:
    default:
        fail(lookup, &err, "check how this registry is logged in to");
        return;
    }
}

void lookup_token_ready(struct lookup *lookup, const char *token)
{
    auth_secret_freep(&lookup->token);
    lookup->token = mem_strdup(token);
    lookup->token_fresh = lookup->token != NULL;
    lookup->state = LOOKUP_QUEUED;
}

void lookup_token_failed(struct lookup *lookup, const struct error *why)
{
    /* Somebody else's request ran into somebody else's deadline: there is time for one of our own. */
    if (why->reason == REASON_TIMEOUT && lookup->retries < RETRIES_MAX &&
        deadline_left_ms(lookup->endpoint_deadline) > RETRY_LEFT_MS) {
        lookup->retries++;
        lookup->state = LOOKUP_QUEUED;
        return;
    }
    login_forget(lookup);
    fail(lookup, why,
         why->reason == REASON_UNAUTHORIZED ? "check the credentials for this registry"
                                            : "try again, or check the token service");
}

void lookup_expire(struct lookup *lookup)
{
    struct evidence evidence = {0};
    struct error why = ERROR_INIT;

    if (lookup->waits_for)
        error_set(&why, REASON_TIMEOUT, "got no token in time from its token service %s", lookup->waits_for->service);
    else
        error_set(&why, REASON_TIMEOUT, "got no answer within the time that this decision has");
    lookup->waits_for = NULL;
    outcome_failed(lookup, &why, "try again, or check the registry and the network between", &evidence);
    if (lookup->registry)
        answered(lookup, &evidence);
    else
        finish(lookup, &evidence);
}

/* Was it the wrong scheme? Registries that may be either are asked once more the other way. */
static bool scheme_was_wrong(const struct lookup *lookup)
{
    const struct exchange *exchange = &lookup->exchange;
    bool https = strncmp(lookup->url, "https:", 6) == 0;

    if (lookup->scheme_switched || !(lookup_endpoint(lookup)->flags & FETCH_EITHER_SCHEME) || lookup->redirects > 0)
        return false;
    if (https)
        return exchange->result == CURLE_SSL_CONNECT_ERROR;
    /* Go's servers answer 400 in plain text to plain HTTP on a TLS port; others just close or send an alert. */
    return exchange->status == 400 || exchange->result == CURLE_UNSUPPORTED_PROTOCOL ||
           exchange->result == CURLE_GOT_NOTHING || exchange->result == CURLE_RECV_ERROR ||
           exchange->result == CURLE_WEIRD_SERVER_REPLY;
}

static void switch_scheme(struct lookup *lookup)
{
    bool https = strncmp(lookup->url, "https:", 6) == 0;

    outcome_of(lookup, &lookup->held);
    lookup->scheme = https ? "http" : "https";
    lookup->scheme_switched = true;
    mem_free(lookup->url);
    lookup->url = NULL;
    lookup->state = LOOKUP_QUEUED;
}

/* An answer of the registry itself proves the scheme. */
static void learn_scheme(struct lookup *lookup)
{
    const struct fetch_endpoint *endpoint = lookup_endpoint(lookup);
    bool https = strncmp(lookup->url, "https:", 6) == 0;

    if ((endpoint->flags & FETCH_EITHER_SCHEME) && lookup->own_host && lookup->exchange.result == CURLE_OK &&
        (https || lookup->exchange.status != 400))
        fact_put(lookup->running->fetcher, FACT_SCHEME, endpoint->url, "", https ? "https" : "http");
}

static bool is_broken_connection(CURLcode code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

/* How long to wait before asking the same again; -1 = do not. */
static int64_t retry_delay(const struct lookup *lookup)
{
    const struct exchange *exchange = &lookup->exchange;
    long status = exchange->status;
    int64_t delay;

    if (lookup->retries >= RETRIES_MAX || exchange->trouble != TROUBLE_NONE ||
        (lookup->want->kind == WANT_REFERRERS && !lookup->own_host))
        return -1;
    if (exchange->result != CURLE_OK)
        delay = is_broken_connection(exchange->result) ? 0 : -1;
    else if (status == 429 || status == 503)
        delay = exchange->retry_after > 0 ? exchange->retry_after * 1000
                : status == 429           ? TOO_MANY_DELAY_MS
                                          : RETRY_DELAY_MS;
    else if (status == 500 || status == 502 || status == 504)
        delay = RETRY_DELAY_MS;
    else
        delay = -1;
    if (delay < 0 || delay + RETRY_LEFT_MS > deadline_left_ms(lookup->endpoint_deadline))
        return -1;
    /* Another endpoint is the better second try. */
    return next_endpoint(lookup, lookup->endpoint + 1) < lookup->registry->count ? -1 : delay;
}

/* 303 "See Other" leads to something else than what was asked for: for referrers that is no answer (outcome.c). */
static bool is_redirect(const struct lookup *lookup)
{
    long status = lookup->exchange.status;

    return status == 301 || status == 302 || (status == 303 && lookup->want->kind != WANT_REFERRERS) || status == 307 ||
           status == 308;
}

static bool follow(struct lookup *lookup, struct error *err)
{
    bool loopback = fetch_host_is_loopback(lookup->want->host) || lookup->exchange.peer_is_loopback;
    bool same_origin = false;
    char *next = lookup->exchange.redirect;

    if (!next)
        return error_set(err, REASON_FETCH_FAILED, "got a redirect (HTTP %ld) to nowhere", lookup->exchange.status);
    if (lookup->redirects >= LIMIT_REDIRECTS)
        return error_set(err, REASON_FETCH_FAILED, "got more than %d redirects", LIMIT_REDIRECTS);
    if (!url_check_step(lookup->url, next, loopback, "its redirect", &same_origin, err))
        return false;
    lookup->exchange.redirect = NULL;
    mem_free(lookup->url);
    lookup->url = next;
    lookup->redirects++;
    lookup->own_host = lookup->own_host && same_origin;
    lookup->state = LOOKUP_QUEUED;
    return true;
}

static void conclude(struct lookup *lookup)
{
    struct evidence evidence = {0};

    outcome_of(lookup, &evidence);
    /* Neither scheme works: what the first one met says more. */
    if (lookup->held.id != 0 && evidence.status == EVIDENCE_ERROR && evidence.http_status == 0) {
        evidence_done(&evidence);
        evidence = lookup->held;
        lookup->held = (struct evidence){0};
    }
    answered(lookup, &evidence);
}

static void lookup_complete(struct exchange *exchange)
{
    struct lookup *lookup = exchange->owner;
    struct error err = ERROR_INIT;
    int64_t delay;

    lookup->running->fetcher->active--;
    fetcher_wear(lookup->running->fetcher, exchange);
    learn_scheme(lookup);
    delay = retry_delay(lookup);
    if (scheme_was_wrong(lookup)) {
        switch_scheme(lookup);
    } else if (exchange->result == CURLE_OK && exchange->status == 401 && lookup->own_host) {
        if (!login_again(lookup, &err))
            fail(lookup, &err, "check the credentials for this registry");
    } else if (exchange->result == CURLE_OK && (exchange->status == 400 || exchange->status == 403) &&
               lookup->own_host && login_renew(lookup)) {
        /* asked again with a new token */
    } else if (exchange->result == CURLE_OK && is_redirect(lookup)) {
        if (!follow(lookup, &err))
            fail(lookup, &err, "check the registry");
    } else if (delay >= 0) {
        lookup->retries++;
        lookup->resume_at = mono_ms() + delay;
        lookup->state = LOOKUP_QUEUED;
    } else {
        conclude(lookup);
    }
}

void lookup_done(struct lookup *lookup)
{
    request_forget(lookup);
    mem_free(lookup->url);
    lookup->url = NULL;
    auth_secret_freep(&lookup->token);
    evidence_done(&lookup->held);
    lookup->state = LOOKUP_DONE;
}
