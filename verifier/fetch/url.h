/* SPDX-License-Identifier: Apache-2.0 */
/* From wants to URLs, and which URL may follow which. */
#ifndef PG_VERIFIER_FETCH_URL_H
#define PG_VERIFIER_FETCH_URL_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "verifier/fetch/fetch.h"

struct url_parts {
    bool https;
    char *host; /* lower case; IPv6 without brackets */
    char *port; /* always set */
};

/* Scheme, host and port of an absolute http(s) URL without user information; MALFORMED else. */
bool url_split(const char *url, struct url_parts *ret, struct error *err) MUST_CHECK;
void url_parts_done(struct url_parts *parts);
bool url_same_origin(const struct url_parts *a, const struct url_parts *b);

/* The port of a proxy as libcurl reads its address. */
long url_proxy_port(const char *proxy);

/*
 * Where the want is asked for at this endpoint, as `scheme` ("http", "https", NULL = the endpoint's). BAD_REQUEST when
 * a name in the want could change the shape of the URL.
 */
char *url_of_want(const struct fetch_endpoint *endpoint, const char *scheme, const struct want *want, struct error *err)
    MUST_CHECK;

/* A numeric host that is never connected to is refused here too: behind a proxy no socket would tell. */
bool url_check_literal(const char *url, struct error *err) MUST_CHECK;

/* May a response of `from` send us to `to`? FETCH_FAILED with a sentence when not. */
bool url_check_step(const char *from, const char *to, bool loopback_allowed, const char *what, bool *ret_same_origin,
                    struct error *err) MUST_CHECK;

#endif
