/* SPDX-License-Identifier: Apache-2.0 */
/* From an ended exchange to evidence: found, absent, or an error in one sentence. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "verifier/fetch/fetcher.h"
#include "verifier/fetch/parser.h"

enum { TEXT_BYTES = 256, INDEX_TYPE_COUNT = 2 };

/* Names the endpoint's host and port, out of its URL. */
static char *source_name(const struct fetch_endpoint *endpoint)
{
    struct span text = span_str(endpoint ? endpoint->url : "");
    size_t start = span_find(text, "://");

    if (start != SIZE_MAX)
        text = span_cut(text, start + 3, SIZE_MAX);
    return span_dup(span_cut(text, 0, span_find_byte(text, '/')));
}

static const char *asked_for(const struct lookup *lookup, char *dst, size_t size)
{
    const struct want *want = lookup->want;
    const char *what = "";

    switch (want->kind) {
    case WANT_MANIFEST:
        what = "the manifest ";
        break;
    case WANT_REFERRERS:
        what = "the referrers of ";
        break;
    case WANT_PAGE:
        what = "the page of referrers ";
        break;
    case WANT_BLOB:
        what = "the blob ";
        break;
    }
    (void)snprintf(dst, size, "%s%.100s in %.120s", what, want->target, want->repository);
    return dst;
}

void outcome_error(const struct lookup *lookup, enum reason reason, const char *got, const char *advice,
                   struct evidence *ret)
{
    char asked[TEXT_BYTES], clean[2 * TEXT_BYTES];
    char *source = source_name(lookup->registry ? lookup_endpoint(lookup) : NULL), *text;

    if (!source || source[0] == '\0') {
        mem_free(source);
        source = mem_strdup(lookup->want->host);
    }
    text = mem_printf("%s: asked for %s, %s; %s", source ? source : "registry", asked_for(lookup, asked, sizeof(asked)),
                      got, advice);
    *ret = (struct evidence){
        .id = lookup->want->id,
        .status = EVIDENCE_ERROR,
        .http_status = lookup->exchange.ended ? (uint32_t)lookup->exchange.status : 0,
        .reason = reason,
        .source = source,
        .error = text ? mem_strdup(text_clean(span_str(text), clean, sizeof(clean))) : NULL,
    };
    mem_free(text);
}

void outcome_failed(const struct lookup *lookup, const struct error *why, const char *advice, struct evidence *ret)
{
    enum reason reason = why->reason;

    /* What evidence may say of itself; anything else is just a registry that could not be used. */
    if (reason != REASON_TIMEOUT && reason != REASON_LIMIT && reason != REASON_UNAUTHORIZED)
        reason = REASON_FETCH_FAILED;
    outcome_error(lookup, reason, why->text, advice, ret);
}

static const char *status_text(long status)
{
    static const struct {
        long status;
        const char *text;
    } texts[] = {
        {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"}, {410, "Gone"},
        {429, "Too Many Requests"}, {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
        {503, "Service Unavailable"}, {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return status >= 300 && status < 400 ? "redirect" : "unexpected";
}

static const char *status_advice(long status)
{
    if (status == 401 || status == 403)
        return "check the credentials for this registry and what they may read";
    if (status == 429)
        return "wait, log in for a higher limit, or use a mirror";
    if (status >= 500)
        return "try again, or check the registry's state";
    return "check that this is a registry and that its address is right";
}

static bool curl_is_tls(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CERTPROBLEM ||
           code == CURLE_SSL_CIPHER || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}

static enum reason trouble_reason(enum exchange_trouble trouble, const char **ret_got, const char **ret_advice)
{
    *ret_advice = "this is not what a registry should send: check the registry";
    switch (trouble) {
    case TROUBLE_TOO_LARGE:
        *ret_got = "got more bytes than are accepted for it";
        return REASON_LIMIT;
    case TROUBLE_HEADERS:
        *ret_got = "got more header lines than are accepted";
        return REASON_LIMIT;
    case TROUBLE_ENCODED:
        *ret_got = "got it compressed, which was not asked for";
        return REASON_FETCH_FAILED;
    case TROUBLE_ADDRESS:
        *ret_got = "was led to a link-local, metadata or local address, which is never connected to";
        *ret_advice = "check what the name resolves to";
        return REASON_FETCH_FAILED;
    case TROUBLE_MEMORY:
        *ret_got = "ran out of memory";
        *ret_advice = "try again";
        return REASON_FETCH_FAILED;
    case TROUBLE_NONE:
    default:
        *ret_got = NULL;
        return REASON_FETCH_FAILED;
    }
}

/* A wrong clock is the usual cause when every certificate is out of its time at once: then it must be seen. */
static void tls_text(const char *detail, char *dst, size_t size, const char **ret_advice)
{
    char now[TIME_TEXT_BYTES];

    if (!strstr(detail, "expired") && !strstr(detail, "not yet valid")) {
        *ret_advice = "check the registry's certificate and the authorities this node trusts";
        (void)snprintf(dst, size, "TLS failed (%s)", detail);
        return;
    }
    *ret_advice = "check this node's clock, then the registry's certificate";
    (void)snprintf(dst, size, "TLS failed (%s; this node's clock says %s)", detail, time_format(time_now(), now));
}

enum reason outcome_transport(const struct exchange *exchange, char *dst, size_t size, const char **ret_advice)
{
    char clean[TEXT_BYTES];
    const char *detail = exchange->curl_text[0] ? exchange->curl_text : curl_easy_strerror(exchange->result);
    const char *got;
    enum reason reason = trouble_reason(exchange->trouble, &got, ret_advice);

    if (got) {
        (void)snprintf(dst, size, "%s", got);
        return reason;
    }
    text_clean(span_str(detail), clean, sizeof(clean));
    *ret_advice = "try again, or check the registry and the network between";
    if (exchange->result == CURLE_OPERATION_TIMEDOUT) {
        (void)snprintf(dst, size, "got no %s in time (%s)", exchange->connected ? "complete answer" : "connection",
                       clean);
        return REASON_TIMEOUT;
    }
    if (exchange->result == CURLE_COULDNT_RESOLVE_HOST || exchange->result == CURLE_COULDNT_RESOLVE_PROXY) {
        *ret_advice = "check the name and this node's DNS";
        (void)snprintf(dst, size, "the name does not resolve (%s)", clean);
    } else if (curl_is_tls(exchange->result)) {
        tls_text(clean, dst, size, ret_advice);
    } else if (exchange->result == CURLE_COULDNT_CONNECT) {
        (void)snprintf(dst, size, "got no connection (%s)", clean);
    } else {
        (void)snprintf(dst, size, "the answer broke off (%s)", clean);
    }
    return REASON_FETCH_FAILED;
}

static void status_error(struct lookup *lookup, struct evidence *ret)
{
    struct exchange *exchange = &lookup->exchange;
    long status = exchange->status;
    bool refused = status == 401 || status == 403;
    char *said CLEANUP(mem_freep) =
        parser_ask_error_text(lookup->running->fetcher->parser_fd, buf_as_span(&exchange->body));
    char got[TEXT_BYTES];

    (void)snprintf(got, sizeof(got), "got HTTP %ld %s%s%s%s", status, status_text(status), said ? " (" : "",
                   said ? said : "", said ? ")" : "");
    outcome_error(lookup, refused ? REASON_UNAUTHORIZED : REASON_FETCH_FAILED, got, status_advice(status), ret);
}

/* distribution specification, "Listing Referrers"; registries without the API answer in many ways (sigstore.md 2.5) */
static bool is_absent(const struct lookup *lookup)
{
    const struct exchange *exchange = &lookup->exchange;
    long status = exchange->status;

    if (status == 404)
        return true;
    if (lookup->want->kind != WANT_REFERRERS)
        return false;
    /* ghcr.io sends everybody to a web page (303), which then answers what it likes (artifacthub/hub issue 4785) */
    if (status == 303 || (!lookup->own_host && status >= 400 && status < 500))
        return true;
    if (status == 200)
        return !exchange->content_type ||
               (strcmp(exchange->content_type, "application/vnd.oci.image.index.v1+json") != 0);
    return status == 400 || status == 405 || status == 406 || status == 501;
}

static void found(struct lookup *lookup, struct evidence *ret)
{
    struct exchange *exchange = &lookup->exchange;
    size_t len = exchange->body.len;

    *ret = (struct evidence){
        .id = lookup->want->id,
        .status = EVIDENCE_FOUND,
        .reason = REASON_OK,
        .http_status = (uint32_t)exchange->status,
        .source = source_name(lookup_endpoint(lookup)),
        .content_type = TAKE_PTR(exchange->content_type),
        .link = TAKE_PTR(exchange->link),
    };
    ret->owned = len > 0 ? buf_take(&exchange->body) : NULL;
    ret->body = span_of(ret->owned, ret->owned ? len : 0);
}

void outcome_of(struct lookup *lookup, struct evidence *ret)
{
    struct exchange *exchange = &lookup->exchange;
    char got[2 * TEXT_BYTES];
    const char *advice;
    enum reason reason;
    /* An error's body may have been cut off by us: its status counts all the same. */
    bool cut = exchange->result == CURLE_WRITE_ERROR && exchange->trouble == TROUBLE_NONE && exchange->status >= 300;

    if (exchange->result != CURLE_OK && !cut && exchange->result != CURLE_FILESIZE_EXCEEDED) {
        reason = outcome_transport(exchange, got, sizeof(got), &advice);
        outcome_error(lookup, reason, got, advice, ret);
    } else if (exchange->trouble != TROUBLE_NONE && exchange->trouble != TROUBLE_ADDRESS) {
        reason = outcome_transport(exchange, got, sizeof(got), &advice);
        outcome_error(lookup, reason, got, advice, ret);
    } else if (is_absent(lookup)) {
        *ret = (struct evidence){.id = lookup->want->id,
                                 .status = EVIDENCE_ABSENT,
                                 .reason = REASON_OK,
                                 .http_status = (uint32_t)exchange->status,
                                 .source = source_name(lookup_endpoint(lookup))};
    } else if (exchange->status == 200) {
        found(lookup, ret);
    } else {
        status_error(lookup, ret);
    }
}
