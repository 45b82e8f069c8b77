/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange: one request, one response, through libcurl's multi interface. No redirect is followed here, no
 * login attempted, nothing judged; time, size and addresses are bounded here.
 */
#ifndef PG_VERIFIER_FETCH_EXCHANGE_H
#define PG_VERIFIER_FETCH_EXCHANGE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "verifier/fetch/fetch.h"

struct exchange_request {
    const char *url;
    const char *accept;                    /* NULL = none */
    const char *authorization;             /* the header's value; NULL = none */
    const char *form;                      /* POST of an encoded form; NULL = GET */
    const struct fetch_job *job;           /* trust, proxies, user agent */
    const struct fetch_endpoint *endpoint; /* TLS settings; its headers and client certificate only when own_host */
    bool own_host; /* the URL is the endpoint's own: not a redirect's target or a token service */
    bool loopback_allowed;                 /* this may end on this machine */
    uint64_t max_bytes;                    /* of a 2xx body */
    uint64_t *budget;                      /* bytes that all bodies of the job may still have; outlives the exchange */
    int64_t deadline;
    uint32_t connect_ms;                   /* 0 = up to the deadline */
};

enum exchange_trouble {
    TROUBLE_NONE = 0,
    TROUBLE_TOO_LARGE, /* beyond max_bytes */
    TROUBLE_HEADERS,   /* beyond LIMIT_HTTP_HEADER_BYTES */
    TROUBLE_ENCODED,   /* a content coding that was not asked for */
    TROUBLE_ADDRESS,   /* only addresses that are never connected to */
    TROUBLE_MEMORY,
};

struct exchange {
    CURL *easy;
    struct curl_slist *headers;
    void (*done)(struct exchange *exchange); /* called once, from the loop */
    void *owner;
    bool loopback_allowed;
    long proxy_port; /* of the proxy that the user named and this may go through; 0 = none */
    uint64_t max_bytes;
    uint64_t *budget;
    size_t header_bytes;
    bool ended; /* set before done is called */

    /* The response. */
    CURLcode result;
    char curl_text[CURL_ERROR_SIZE];
    enum exchange_trouble trouble;
    long status;
    char *content_type;  /* lower case, without parameters; NULL when none or not printable */
    char *link;          /* Link headers, joined by ", " */
    struct buf challenge;/* WWW-Authenticate values, one per line */
    char *redirect;      /* absolute URL of a 3xx; NULL when none */
    long retry_after;    /* seconds, 0 when not said */
    bool connected;      /* got as far as a connection */
    bool peer_is_loopback; /* the registry's own machine is this one; a proxy here does not count */
    struct buf body;
};

/* Starts it. On failure nothing is pending and `exchange` can be freed. */
bool exchange_start(CURLM *multi, const struct exchange_request *request, struct exchange *exchange,
                    struct error *err) MUST_CHECK;
/* Called by the loop with libcurl's message: collects the rest and calls done. */
void exchange_finish(CURLM *multi, struct exchange *exchange, CURLcode result);
/* Frees, stopping it first when it runs. Keeps owner and done. */
void exchange_free(CURLM *multi, struct exchange *exchange);

#endif
