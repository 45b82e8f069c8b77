/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/provider_cache.h"

#include <string.h>

#include "base/mem.h"

enum { KEPT_MAX = 64 }; /* of up to PROVIDER_OUTPUT_BYTES each; a cloud node has one provider and a few registries */

static void kept_done(struct provider_kept *kept)
{
    mem_wipe_free(kept->output, kept->len);
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

void provider_cache_expire(struct provider_cache_store *store, int64_t now_ms)
{
    for (size_t i = store->count; i > 0; i--) {
        struct provider_kept *kept = &store->items[i - 1];

        if (kept->until > now_ms)
            continue;
        kept_done(kept);
        *kept = store->items[store->count - 1];
        store->items[--store->count] = (struct provider_kept){0};
    }
}

static char *scoped_key(const char *scope, const struct provider *provider, enum provider_cache kind, const char *image)
{
    CLEANUP(mem_freep) char *key = provider_cache_key(provider, kind, image);

    return key ? mem_printf("%s %s", scope, key) : NULL;
}

struct span provider_cache_find(const struct provider_cache_store *store, const char *scope,
                                const struct provider *provider, const char *image, int64_t now_ms)
{
    /* the kubelet's order: the narrowest key first */
    static const enum provider_cache kinds[] = {PROVIDER_CACHE_IMAGE, PROVIDER_CACHE_REGISTRY, PROVIDER_CACHE_GLOBAL};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP(mem_freep) char *key = scoped_key(scope, provider, kinds[i], image);

        for (size_t j = 0; key && j < store->count; j++)
            if (strcmp(store->items[j].key, key) == 0 && store->items[j].until > now_ms)
                return span_of(store->items[j].output, store->items[j].len);
    }
    return span_of(NULL, 0);
}

bool provider_cache_record(const char *scope, const struct provider *provider, const char *image,
                           const struct provider_answer *answer, struct span output, int64_t now_ms, struct buf *ret)
{
    CLEANUP(mem_freep) char *key = NULL;

    if (answer->cache_s <= 0 || answer->cache == PROVIDER_CACHE_NONE || output.len == 0)
        return false;
    key = scoped_key(scope, provider, answer->cache, image);
    if (!key)
        return false;
    buf_u64(ret, (uint64_t)(now_ms + answer->cache_s * 1000));
    buf_u32(ret, (uint32_t)strlen(key));
    buf_str(ret, key);
    buf_span(ret, output);
    return buf_ok(ret);
}

/* A place for the key: its own, a new one, or else the one that ends first. */
static struct provider_kept *place_for(struct provider_cache_store *store, const char *key)
{
    struct provider_kept *first = NULL;

    for (size_t i = 0; i < store->count; i++) {
        struct provider_kept *kept = &store->items[i];

        if (strcmp(kept->key, key) == 0)
            return kept;
        if (!first || kept->until < first->until)
            first = kept;
    }
    if (mem_grow(&store->items, &store->capacity, store->count, sizeof(*store->items), KEPT_MAX))
        return &store->items[store->count++];
    return first;
}

bool provider_cache_take(struct provider_cache_store *store, struct span record, int64_t now_ms)
{
    CLEANUP(kept_done) struct provider_kept kept = {0};
    struct reader reader = reader_of(record);
    struct provider_kept *place;
    uint64_t until = read_u64(&reader);
    struct span key = read_bytes(&reader, read_u32(&reader));

    if (reader.failed || key.len == 0 || reader.rest.len == 0 || until > INT64_MAX || (int64_t)until <= now_ms)
        return false;
    kept.until = (int64_t)until;
    kept.key = span_dup(key);
    kept.output = mem_dup(reader.rest.ptr, reader.rest.len);
    kept.len = reader.rest.len;
    if (!kept.key || !kept.output)
        return false;
    provider_cache_expire(store, now_ms);
    place = place_for(store, kept.key);
    if (!place)
        return false;
    kept_done(place);
    *place = kept;
    kept = (struct provider_kept){0};
    return true;
}
