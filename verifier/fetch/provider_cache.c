/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/provider_cache.h"

#include <string.h>

#include "base/mem.h"

enum { KEPT_MAX = 1024 };

static void kept_done(struct provider_kept *kept)
{
    fetch_credentials_done(&kept->credentials);
    mem_free(kept->key);
    *kept = (struct provider_kept){0};
}

void provider_cache_done(struct provider_cache_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        kept_done(&store->items[i]);
    mem_free(store->items);
    *store = (struct provider_cache_store){0};
}

static const struct provider_kept *find_key(const struct provider_cache_store *store, const char *key, int64_t now_ms)
{
    for (size_t i = 0; i < store->count; i++)
        if (strcmp(store->items[i].key, key) == 0 && store->items[i].until > now_ms)
            return &store->items[i];
    return NULL;
}

bool provider_cache_find(const struct provider_cache_store *store, const struct provider *provider, const char *image,
                         int64_t now_ms, bool *ret_hit, bool *ret_found, struct fetch_credentials *ret,
                         struct error *err)
{
    /* the kubelet's order: the narrowest key first */
    static const enum provider_cache kinds[] = {PROVIDER_CACHE_IMAGE, PROVIDER_CACHE_REGISTRY, PROVIDER_CACHE_GLOBAL};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char *key CLEANUP(mem_freep) = provider_cache_key(provider, kinds[i], image);
        const struct provider_kept *kept;

        if (!key)
            return error_oom(err);
        kept = find_key(store, key, now_ms);
        if (!kept)
            continue;
        if (kept->found && !fetch_credentials_copy(&kept->credentials, ret, err))
            return false;
        *ret_hit = true;
        *ret_found = kept->found;
        return true;
    }
    *ret_hit = false;
    return true;
}

/* A place for the key: its own, one whose time is over, a new one, or else the one that ends first. */
static struct provider_kept *place_for(struct provider_cache_store *store, const char *key, int64_t now_ms)
{
    struct provider_kept *first = NULL;

    for (size_t i = 0; i < store->count; i++) {
        struct provider_kept *kept = &store->items[i];

        if (strcmp(kept->key, key) == 0)
            return kept;
        if (!first || kept->until < first->until)
            first = kept;
    }
    if (first && first->until <= now_ms)
        return first;
    if (mem_grow(&store->items, &store->capacity, store->count, sizeof(*store->items), KEPT_MAX))
        return &store->items[store->count++];
    return first;
}

bool provider_cache_put(struct provider_cache_store *store, const struct provider *provider, const char *image,
                        const struct provider_answer *answer, int64_t now_ms, struct error *err)
{
    struct provider_kept kept CLEANUP(kept_done) = {.until = now_ms + answer->cache_s * 1000, .found = answer->found};
    struct provider_kept *place;

    if (answer->cache_s <= 0 || answer->cache == PROVIDER_CACHE_NONE)
        return true;
    kept.key = provider_cache_key(provider, answer->cache, image);
    if (!kept.key || (answer->found && !fetch_credentials_copy(&answer->credentials, &kept.credentials, err)))
        return error_oom(err);
    place = place_for(store, kept.key, now_ms);
    if (!place)
        return error_oom(err);
    kept_done(place);
    *place = kept;
    kept = (struct provider_kept){0};
    return true;
}
