/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/auth.h"

#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/fetch/url.h"

enum {
    CACHE_ENTRIES = 256,
    TOKEN_MARGIN_MS = 5000, /* a token this close to its end is not used: the request and clock drift take time too */
    REQUEST_MAX_BYTES = 96 * 1024,
};

void auth_secret_freep(char **secret)
{
    mem_wipe_free(*secret, *secret ? strlen(*secret) : 0);
    *secret = NULL;
}

static void hint_done(struct auth_hint *hint)
{
    auth_secret_freep(&hint->place);
    mem_free(hint->realm);
    mem_free(hint->service);
    mem_free(hint->scope);
    *hint = (struct auth_hint){0};
}

static void token_done(struct auth_token *token)
{
    auth_secret_freep(&token->key);
    auth_secret_freep(&token->token);
    *token = (struct auth_token){0};
}

void auth_cache_done(struct auth_cache *cache)
{
    for (size_t i = 0; i < cache->hint_count; i++)
        hint_done(&cache->hints[i]);
    for (size_t i = 0; i < cache->token_count; i++)
        token_done(&cache->tokens[i]);
    mem_free(cache->hints);
    mem_free(cache->tokens);
    *cache = (struct auth_cache){0};
}

/* Newlines separate: none of the parts holds one (URLs, header values) but a password might, hence the lengths. */
static void put_part(struct buf *out, const char *text)
{
    buf_printf(out, "%zu:", text ? strlen(text) : 0);
    buf_str(out, text ? text : "");
    buf_byte(out, '\n');
}

static void put_credentials(struct buf *out, const struct fetch_credentials *credentials)
{
    put_part(out, credentials->username);
    put_part(out, credentials->password);
    put_part(out, credentials->identity_token);
    put_part(out, credentials->registry_token);
}

char *auth_place(const struct fetch_endpoint *endpoint, const char *repository)
{
    struct buf out CLEANUP(buf_wipe) = BUF_INIT(REQUEST_MAX_BYTES);

    put_part(&out, endpoint->url);
    put_part(&out, endpoint->repository ? endpoint->repository : repository);
    put_credentials(&out, &endpoint->credentials);
    return buf_ok(&out) ? buf_take(&out) : NULL;
}

char *auth_token_key(const struct auth_hint *hint, const struct fetch_credentials *credentials)
{
    struct buf out CLEANUP(buf_wipe) = BUF_INIT(REQUEST_MAX_BYTES);

    put_part(&out, hint->realm);
    put_part(&out, hint->service);
    put_part(&out, hint->scope);
    put_credentials(&out, credentials);
    return buf_ok(&out) ? buf_take(&out) : NULL;
}

static size_t hint_index(const struct auth_cache *cache, const char *place)
{
    for (size_t i = 0; i < cache->hint_count; i++)
        if (strcmp(cache->hints[i].place, place) == 0)
            return i;
    return SIZE_MAX;
}

const struct auth_hint *auth_hint_find(struct auth_cache *cache, const char *place)
{
    size_t i = hint_index(cache, place);

    if (i == SIZE_MAX)
        return NULL;
    cache->hints[i].used = ++cache->clock;
    return &cache->hints[i];
}

void auth_hint_drop(struct auth_cache *cache, const char *place)
{
    size_t i = hint_index(cache, place);

    if (i == SIZE_MAX)
        return;
    hint_done(&cache->hints[i]);
    cache->hints[i] = cache->hints[--cache->hint_count];
}

static void drop_oldest_hint(struct auth_cache *cache)
{
    size_t oldest = 0;

    if (cache->hint_count < CACHE_ENTRIES)
        return;
    for (size_t i = 1; i < cache->hint_count; i++)
        if (cache->hints[i].used < cache->hints[oldest].used)
            oldest = i;
    hint_done(&cache->hints[oldest]);
    cache->hints[oldest] = cache->hints[--cache->hint_count];
}

/* A challenge without a scope: what we need anyway. */
static char *scope_for(const struct challenge *challenge, const char *repository)
{
    return challenge->scope ? mem_strdup(challenge->scope) : mem_printf("repository:%s:pull", repository);
}

const struct auth_hint *auth_hint_put(struct auth_cache *cache, const char *place, const struct challenge *challenge,
                                      const char *repository)
{
    struct auth_hint hint CLEANUP(hint_done) = {.place = mem_strdup(place)};

    /* Bearer when it is offered: it is made for one repository, while Basic hands out the password itself. */
    hint.basic = !challenge->bearer;
    if (!hint.basic) {
        hint.realm = mem_strdup(challenge->realm);
        hint.service = mem_strdup(challenge->service);
        hint.scope = scope_for(challenge, repository);
    }
    if (!hint.place || (!hint.basic && (!hint.realm || !hint.scope || (challenge->service && !hint.service))))
        return NULL;
    auth_hint_drop(cache, place);
    drop_oldest_hint(cache);
    if (!mem_grow(&cache->hints, &cache->hint_capacity, cache->hint_count, sizeof(*cache->hints), CACHE_ENTRIES))
        return NULL;
    hint.used = ++cache->clock;
    cache->hints[cache->hint_count] = hint;
    hint = (struct auth_hint){0};
    return &cache->hints[cache->hint_count++];
}

static size_t token_index(const struct auth_cache *cache, const char *key)
{
    for (size_t i = 0; i < cache->token_count; i++)
        if (strcmp(cache->tokens[i].key, key) == 0)
            return i;
    return SIZE_MAX;
}

const char *auth_token_find(struct auth_cache *cache, const char *key, int64_t now)
{
    size_t i = token_index(cache, key);

    if (i == SIZE_MAX || cache->tokens[i].expires <= now)
        return NULL;
    cache->tokens[i].used = ++cache->clock;
    return cache->tokens[i].token;
}

void auth_token_drop(struct auth_cache *cache, const char *key)
{
    size_t i = token_index(cache, key);

    if (i == SIZE_MAX)
        return;
    token_done(&cache->tokens[i]);
    cache->tokens[i] = cache->tokens[--cache->token_count];
}

static void drop_oldest_token(struct auth_cache *cache, int64_t now)
{
    size_t oldest = 0;

    if (cache->token_count < CACHE_ENTRIES)
        return;
    for (size_t i = 1; i < cache->token_count; i++)
        if (cache->tokens[i].expires <= now || cache->tokens[i].used < cache->tokens[oldest].used)
            oldest = i;
    token_done(&cache->tokens[oldest]);
    cache->tokens[oldest] = cache->tokens[--cache->token_count];
}

bool auth_token_put(struct auth_cache *cache, const char *key, const struct token_answer *answer, int64_t now,
                    struct error *err)
{
    struct auth_token token CLEANUP(token_done) = {.key = mem_strdup(key), .token = mem_strdup(answer->token)};

    if (!token.key || !token.token)
        return error_oom(err);
    auth_token_drop(cache, key);
    drop_oldest_token(cache, now);
    if (!mem_grow(&cache->tokens, &cache->token_capacity, cache->token_count, sizeof(*cache->tokens), CACHE_ENTRIES))
        return error_oom(err);
    token.expires = now + (int64_t)answer->expires_in * 1000 - TOKEN_MARGIN_MS;
    token.used = ++cache->clock;
    cache->tokens[cache->token_count++] = token;
    token = (struct auth_token){0};
    return true;
}

bool auth_can_basic(const struct fetch_credentials *credentials)
{
    return credentials->username && credentials->password;
}

/* RFC 7617 section 2 */
char *auth_basic_value(const struct fetch_credentials *credentials)
{
    struct buf plain CLEANUP(buf_wipe) = BUF_INIT(REQUEST_MAX_BYTES);
    struct buf out CLEANUP(buf_wipe) = BUF_INIT(2 * REQUEST_MAX_BYTES);

    if (!auth_can_basic(credentials))
        return NULL;
    buf_str(&plain, credentials->username);
    buf_byte(&plain, ':');
    buf_str(&plain, credentials->password);
    buf_str(&out, "Basic ");
    base64_encode(buf_as_span(&plain), &out);
    return buf_ok(&plain) && buf_ok(&out) ? buf_take(&out) : NULL;
}

char *auth_bearer_value(const char *token)
{
    return mem_printf("Bearer %s", token);
}

static void put_escaped(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~", c)))
            buf_byte(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned int)c);
    }
}

static void put_parameter(struct buf *out, char *separator, const char *name, struct span value)
{
    if (*separator)
        buf_byte(out, (uint8_t)*separator);
    *separator = '&';
    buf_str(out, name);
    buf_byte(out, '=');
    put_escaped(out, value);
}

/* GET (distribution, "Token Authentication Specification"): one scope parameter for each scope. */
static void put_get(struct buf *out, const struct auth_hint *hint, const struct fetch_credentials *credentials)
{
    struct span rest = span_str(hint->scope);
    char separator = span_find_byte(span_str(hint->realm), '?') == SIZE_MAX ? '?' : '&';

    buf_str(out, hint->realm);
    if (auth_can_basic(credentials))
        put_parameter(out, &separator, "account", span_str(credentials->username));
    while (rest.len > 0) {
        size_t blank = span_find_byte(rest, ' ');

        put_parameter(out, &separator, "scope", span_cut(rest, 0, blank));
        rest = blank == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, blank + 1, SIZE_MAX);
    }
    if (hint->service)
        put_parameter(out, &separator, "service", span_str(hint->service));
}

/* POST (distribution, "OAuth2 Token Authentication"; RFC 6749 section 6) */
static void put_post(struct buf *out, const struct auth_hint *hint, const struct fetch_credentials *credentials)
{
    char separator = '\0';

    put_parameter(out, &separator, "grant_type", span_str("refresh_token"));
    if (hint->service)
        put_parameter(out, &separator, "service", span_str(hint->service));
    put_parameter(out, &separator, "client_id", span_str("pullguard"));
    put_parameter(out, &separator, "scope", span_str(hint->scope));
    put_parameter(out, &separator, "refresh_token", span_str(credentials->identity_token));
}

bool auth_request_make(const struct auth_hint *hint, const struct fetch_credentials *credentials,
                       const char *registry_url, bool loopback_allowed, struct auth_request *ret, struct error *err)
{
    struct auth_request request CLEANUP(auth_request_done) = {0};
    struct buf out CLEANUP(buf_wipe) = BUF_INIT(REQUEST_MAX_BYTES);
    bool same_origin;

    if (!url_check_step(registry_url, hint->realm, loopback_allowed, "the token service that it names", &same_origin,
                        err))
        return false;
    if (credentials->identity_token) {
        request.url = mem_strdup(hint->realm);
        put_post(&out, hint, credentials);
        request.form = buf_ok(&out) ? buf_take(&out) : NULL;
        if (!request.form)
            return error_oom(err);
    } else {
        put_get(&out, hint, credentials);
        request.url = buf_ok(&out) ? buf_take(&out) : NULL;
        request.authorization = auth_basic_value(credentials);
        if (auth_can_basic(credentials) && !request.authorization)
            return error_oom(err);
    }
    if (!request.url)
        return error_oom(err);
    *ret = request;
    request = (struct auth_request){0};
    return true;
}

void auth_request_done(struct auth_request *request)
{
    auth_secret_freep(&request->url);
    auth_secret_freep(&request->form);
    auth_secret_freep(&request->authorization);
}
