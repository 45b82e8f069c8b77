/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging in: which Authorization a request gets, remembered tokens, and how a token is asked for. Tokens belong to
 * the credentials they were got with: other credentials never see them.
 */
#ifndef PG_VERIFIER_FETCH_AUTH_H
#define PG_VERIFIER_FETCH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "verifier/fetch/auth_parse.h"
#include "verifier/fetch/fetch.h"

/* How an endpoint wanted to be logged in to for a repository, so that the next request does it unasked. */
struct auth_hint {
    char *place; /* endpoint URL, repository and credentials */
    bool basic;  /* else Bearer: */
    char *realm, *service, *scope;
    uint64_t used;
};

struct auth_token {
    char *key;   /* realm, service, scope and credentials */
    char *token;
    int64_t expires; /* mono_ms */
    uint64_t used;
};

struct auth_cache {
    struct auth_hint *hints;
    size_t hint_count, hint_capacity;
    struct auth_token *tokens;
    size_t token_count, token_capacity;
    uint64_t clock; /* least recently used goes first */
};

void auth_cache_done(struct auth_cache *cache); /* overwrites */

/* Names a login; secret, freed with auth_secret_freep(). NULL = out of memory. */
char *auth_place(const struct fetch_endpoint *endpoint, const char *repository) MUST_CHECK;
char *auth_token_key(const struct auth_hint *hint, const struct fetch_credentials *credentials) MUST_CHECK;
void auth_secret_freep(char **secret);

const struct auth_hint *auth_hint_find(struct auth_cache *cache, const char *place);
/* Remembers what the challenge says for the place (replacing what was there). NULL = out of memory. */
const struct auth_hint *auth_hint_put(struct auth_cache *cache, const char *place, const struct challenge *challenge,
                                      const char *repository) MUST_CHECK;
void auth_hint_drop(struct auth_cache *cache, const char *place);

/* The token of that key when it lives a few seconds more; NULL else. Borrowed until the next call. */
const char *auth_token_find(struct auth_cache *cache, const char *key, int64_t now);
bool auth_token_put(struct auth_cache *cache, const char *key, const struct token_answer *answer, int64_t now,
                    struct error *err) MUST_CHECK;
void auth_token_drop(struct auth_cache *cache, const char *key);

/* Header values; secret. NULL = nothing to say, or out of memory. */
char *auth_basic_value(const struct fetch_credentials *credentials) MUST_CHECK;
char *auth_bearer_value(const char *token) MUST_CHECK;
bool auth_can_basic(const struct fetch_credentials *credentials);

/* The token request: GET url (with Basic when there are credentials), or POST of form. Secret texts. */
struct auth_request {
    char *url;
    char *form;          /* NULL = GET */
    char *authorization; /* NULL = anonymous */
};
/* `registry_url` named the realm: from https it may not name a plain one, and more (url_check_step). */
bool auth_request_make(const struct auth_hint *hint, const struct fetch_credentials *credentials,
                       const char *registry_url, bool loopback_allowed, struct auth_request *ret,
                       struct error *err) MUST_CHECK;
void auth_request_done(struct auth_request *request);

#endif
