/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/pool.h"

#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "verifier/ref.h"

enum { SECRETS_MAX_BYTES = 256 * 1024, KEY_MAX_BYTES = 64 * 1024 };

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

/* " HOST SOURCE ... SECRETS": names between blanks, which no name holds. */
char *pool_key(const struct request *request, const struct names *sources)
{
    CLEANUP(ref_done) struct ref ref = {0};
    CLEANUP(buf_free) struct buf key = BUF_INIT(KEY_MAX_BYTES);
    char secrets[2 * DIGEST_MAX_BYTES + 1];
    struct error ignored = ERROR_INIT;

    if ((request->flags & REQUEST_NO_NETWORK) || !request->reference ||
        !ref_parse(span_str(request->reference), &ref, &ignored) || !secrets_digest(request, secrets))
        return NULL;
    buf_printf(&key, " %s ", ref.host);
    for (size_t i = 0; i < sources->count; i++)
        buf_printf(&key, "%s ", sources->items[i]);
    buf_str(&key, secrets);
    return buf_take(&key);
}

bool pool_key_names(const char *key, const char *host)
{
    size_t len = strlen(host);

    for (const char *at = strstr(key, host); at; at = strstr(at + 1, host))
        if (at > key && at[-1] == ' ' && at[len] == ' ')
            return true;
    return false;
}

/* Files that are replaced by others of the same name while a node runs (DHCP, NetworkManager), links followed. */
static uint64_t mark_of(const struct sandbox *sandbox)
{
    const char *const paths[] = {"/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf", "/etc/host.conf",
                                 "/etc/gai.conf",    sandbox->ca_dir, sandbox->ca_file};
    uint64_t mark = 0;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct stat status = {0};

        if (paths[i] && stat(paths[i], &status) != 0)
            status = (struct stat){0};
        mark = (mark ^ status.st_dev) * 0x100000001b3U;
        mark = (mark ^ status.st_ino) * 0x100000001b3U;
    }
    return mark;
}

/* It answers when asked and never before: anything to read is its end. */
static bool is_alive(const struct pool_place *place)
{
    struct pollfd entry = {.fd = place->fetcher.socket, .events = POLLIN};

    if (poll(&entry, 1, 0) <= 0)
        return true;
    return !place->fetcher.ready && entry.revents == POLLIN; /* that its sandbox stands: nobody has read it yet */
}

/* An idle one that fits; those that never will again are stopped on the way. */
static struct pool_place *find_idle(struct pool *pool, const char *key, uint64_t mark)
{
    for (size_t i = 0; i < POOL_PLACES; i++) {
        struct pool_place *place = &pool->places[i];

        if (!place->key || place->on_loan)
            continue;
        if (place->mark != mark || !is_alive(place))
            place_stop(place);
        else if (strcmp(place->key, key) == 0)
            return place;
    }
    return NULL;
}

static struct pool_place *find_free(struct pool *pool)
{
    for (size_t i = 0; i < POOL_PLACES; i++)
        if (!pool->places[i].key)
            return &pool->places[i];
    return NULL;
}

struct pool_place *pool_lend(struct pool *pool, const char *key, const char *libexec, const struct sandbox *sandbox)
{
    uint64_t mark = mark_of(sandbox);
    struct pool_place *place = find_idle(pool, key, mark);
    struct error ignored = ERROR_INIT;

    if (place) {
        place->on_loan = true;
        return place;
    }
    place = find_free(pool);
    if (!place || !(place->key = mem_strdup(key)))
        return NULL;
    if (!fetcher_start(libexec, sandbox, &place->fetcher, &ignored)) {
        place_clear(place);
        return NULL;
    }
    place->on_loan = true;
    place->mark = mark;
    place->born_ms = mono_ms();
    return place;
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
    if (!fit || place->spent) {
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

        if (!place->key || (!all && now - place->born_ms <= POOL_LIFE_MS))
            continue;
        place->spent = true;
        if (!place->on_loan)
            place_stop(place);
    }
}

void pool_reaped(struct pool *pool, pid_t pid)
{
    for (size_t i = 0; i < POOL_PLACES; i++) {
        struct pool_place *place = &pool->places[i];

        if (!place->key || place->fetcher.child.pid != pid)
            continue;
        place->spent = true;
        if (place->on_loan)
            continue;
        (void)close(place->fetcher.socket);
        if (place->fetcher.child.pidfd >= 0)
            (void)close(place->fetcher.child.pidfd);
        place_clear(place);
    }
}
