/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/pool.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "verifier/ref.h"

enum { SECRETS_MAX_BYTES = 256 * 1024 };

static void place_clear(struct pool_place *place)
{
    mem_free(place->key);
    *place = (struct pool_place){.fetcher = {.socket = -1}};
}

static void place_stop(struct pool_place *place)
{
    fetcher_stop(&place->fetcher);
    place_clear(place);
}

void pool_init(struct pool *pool)
{
    for (size_t i = 0; i < POOL_PLACES; i++)
        place_clear(&pool->places[i]);
}

/* Credentials that came with the request, as a digest: whoever brings others gets another fetcher. */
static bool secrets_digest(const struct request *request, char ret[2 * DIGEST_MAX_BYTES + 1])
{
    CLEANUP(buf_wipe) struct buf all = BUF_INIT(SECRETS_MAX_BYTES);
    const char *const parts[] = {request->username, request->password, request->identity_token};
    struct digest digest;
    bool any = false;

    ret[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        any = any || parts[i];
        buf_u64(&all, parts[i] ? strlen(parts[i]) + 1 : 0);
        buf_str(&all, parts[i] ? parts[i] : "");
    }
    if (!any)
        return true;
    if (!buf_ok(&all) || !digest_compute(DIGEST_SHA256, buf_as_span(&all), &digest))
        return false;
    hex_encode(span_of(digest.bytes, digest_size(DIGEST_SHA256)), ret);
    return true;
}

char *pool_key(const struct request *request)
{
    CLEANUP(ref_done) struct ref ref = {0};
    char secrets[2 * DIGEST_MAX_BYTES + 1];
    struct error ignored = ERROR_INIT;

    if ((request->flags & REQUEST_NO_NETWORK) || !request->reference ||
        !ref_parse(span_str(request->reference), &ref, &ignored) || !secrets_digest(request, secrets))
        return NULL;
    return mem_printf("%s %s", ref.host, secrets);
}

struct pool_place *pool_lend(struct pool *pool, const char *key, const char *libexec, const struct sandbox *sandbox)
{
    struct pool_place *free_place = NULL;
    struct error ignored = ERROR_INIT;

    for (size_t i = 0; i < POOL_PLACES; i++) {
        struct pool_place *place = &pool->places[i];

        if (place->key && !place->on_loan && strcmp(place->key, key) == 0) {
            place->on_loan = true;
            return place;
        }
        if (!place->key && !free_place)
            free_place = place;
    }
    if (!free_place || !(free_place->key = mem_strdup(key)))
        return NULL;
    if (!fetcher_start(libexec, sandbox, &free_place->fetcher, &ignored)) {
        place_clear(free_place);
        return NULL;
    }
    free_place->on_loan = true;
    free_place->born_ms = mono_ms();
    return free_place;
}

/* Room for one more idle fetcher: the one that nobody has wanted for longest ends. */
static void make_room(struct pool *pool)
{
    struct pool_place *oldest = NULL;
    size_t idle = 0;

    for (size_t i = 0; i < POOL_PLACES; i++) {
        struct pool_place *place = &pool->places[i];

        if (!place->key || place->on_loan)
            continue;
        idle++;
        if (!oldest || place->idle_since_ms < oldest->idle_since_ms)
            oldest = place;
    }
    if (idle >= POOL_IDLE_MAX)
        place_stop(oldest);
}

void pool_take_back(struct pool *pool, struct pool_place *place, bool fit)
{
    if (!place)
        return;
    if (!fit) {
        place_stop(place);
        return;
    }
    make_room(pool);
    place->on_loan = false;
    place->idle_since_ms = mono_ms();
}

void pool_stop(struct pool *pool, bool all)
{
    int64_t now = mono_ms();

    for (size_t i = 0; i < POOL_PLACES; i++) {
        struct pool_place *place = &pool->places[i];

        if (place->key && !place->on_loan && (all || now - place->born_ms > POOL_LIFE_MS))
            place_stop(place);
    }
}

void pool_reaped(struct pool *pool, pid_t pid)
{
    for (size_t i = 0; i < POOL_PLACES; i++) {
        struct pool_place *place = &pool->places[i];

        if (!place->key || place->on_loan || place->fetcher.child.pid != pid)
            continue;
        (void)close(place->fetcher.socket);
        if (place->fetcher.child.pidfd >= 0)
            (void)close(place->fetcher.child.pidfd);
        place_clear(place);
    }
}
