/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What credential providers answered, kept for as long as they said and for what they said (cacheKeyType,
 * cacheDuration). In memory only, for the resident engine; a zeroed struct is an empty cache. The whole answer is kept,
 * not the credentials of the one image it was asked for: an answer for all registries has an entry for each, and what
 * is another registry's must not be handed to this one.
 */
#ifndef PG_VERIFIER_FETCH_PROVIDER_CACHE_H
#define PG_VERIFIER_FETCH_PROVIDER_CACHE_H

#include "verifier/fetch/provider.h"

struct provider_kept {
    char *key;
    int64_t until; /* mono_ms */
    void *output;  /* as provider_parse takes it */
    size_t len;
};

struct provider_cache_store {
    struct provider_kept *items;
    size_t count, capacity;
};

/*
 * The kept answer for this image, to be parsed again; empty = none. Borrowed from the store. scope: a text that is
 * another one when the providers' configuration is.
 */
struct span provider_cache_find(const struct provider_cache_store *store, const char *scope,
                                const struct provider *provider, const char *image, int64_t now_ms);

/* An answer with its output, as a record for provider_cache_take, appended to ret; false = not to be kept. */
bool provider_cache_record(const char *scope, const struct provider *provider, const char *image,
                           const struct provider_answer *answer, struct span output, int64_t now_ms,
                           struct buf *ret) MUST_CHECK;
/* Keeps a record, replacing what was there; beyond the maximum the one that ends first gives way. False: it is none. */
bool provider_cache_take(struct provider_cache_store *store, struct span record, int64_t now_ms) MUST_CHECK;

void provider_cache_expire(struct provider_cache_store *store, int64_t now_ms); /* overwrites what is over */
void provider_cache_done(struct provider_cache_store *store); /* overwrites; also when the configuration changes */

#endif
