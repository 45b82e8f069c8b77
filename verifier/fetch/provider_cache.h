/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that a provider gave, kept for as long as it said and for what it said (cacheKeyType, cacheDuration). In
 * memory only, for the resident engine; a zeroed struct is an empty cache.
 */
#ifndef PG_VERIFIER_FETCH_PROVIDER_CACHE_H
#define PG_VERIFIER_FETCH_PROVIDER_CACHE_H

#include "verifier/fetch/provider.h"

struct provider_kept {
    char *key;
    int64_t until; /* mono_ms */
    bool found;    /* "nothing for this image" is kept too */
    struct fetch_credentials credentials;
};

struct provider_cache_store {
    struct provider_kept *items;
    size_t count, capacity;
};

/* *ret_hit: an answer is kept; then *ret_found says whether it holds credentials, which are copied to ret. */
bool provider_cache_find(const struct provider_cache_store *store, const struct provider *provider, const char *image,
                         int64_t now_ms, bool *ret_hit, bool *ret_found, struct fetch_credentials *ret,
                         struct error *err) MUST_CHECK;
/* Keeps a copy, replacing what was there; an answer with no life is not kept. */
bool provider_cache_put(struct provider_cache_store *store, const struct provider *provider, const char *image,
                        const struct provider_answer *answer, int64_t now_ms, struct error *err) MUST_CHECK;
void provider_cache_done(struct provider_cache_store *store); /* overwrites; also when the configuration changes */

#endif
