/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/verdicts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cache/entry.h"
#include "plugin/cache/format.h"
#include "plugin/engine/report.h"
#include "verifier/ref.h"

enum {
    EXPLAIN_MAX_BYTES = 64 * 1024 * 1024,
    LOCK_PAUSE_MS = 3,
    OFFSETS = INT32_MAX, /* of bytes that may be locked; where off_t has 32 bits too */
};

static char *canonical_name(const struct ref *ref)
{
    return ref->tag ? mem_printf("%s:%s", ref->name, ref->tag) : mem_strdup(ref->name);
}

/* One file for all: each image has a byte of it, so that nobody waits for another image, and no file stays behind. */
static int open_locks(const char *root)
{
    CLEANUP(mem_freep) char *path = path_under(root, PG_CACHEDIR "/deciding");
    struct error ignored = ERROR_INIT;
    int fd;

    if (!path)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 || errno != ENOENT || !file_make_above(path, &ignored)) /* the first pull of a node */
        return fd;
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/*
 * The image is digest and name: under another name it may be in a registry that answers slowly, and whose verdict does
 * not help.
 */
static struct flock byte_of(const struct request *request)
{
    CLEANUP(ref_done) struct ref ref = {0};
    CLEANUP(mem_freep) char *canonical = NULL;
    struct error ignored = ERROR_INIT;
    uint64_t hash = format_hash(span_str(request->digest)) * 31;

    if (ref_parse(span_str(request->reference), &ref, &ignored))
        canonical = canonical_name(&ref);
    hash ^= format_hash(span_str(canonical ? canonical : request->reference));
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(hash % OFFSETS), .l_len = 1};
}

bool verdicts_lock(const char *root, const struct settings *settings, const struct request *request, int64_t patience,
                   int *ret_lock)
{
    CLEANUP(fd_closep) int fd = -1;
    struct flock byte;
    bool waited = false;

    *ret_lock = -1;
    if (!settings->cache || !cache_may_hold(request) || (request->flags & REQUEST_NO_NETWORK))
        return false;
    fd = open_locks(root);
    byte = byte_of(request);
    while (fd >= 0 && deadline_left_ms(patience) > 0) {
        if (fcntl(fd, F_OFD_SETLK, &byte) == 0) {
            if (!waited)
                *ret_lock = TAKE_FD(fd);
            return true; /* after waiting the lock is let go: whoever waited too must not queue up behind us */
        }
        waited = true;
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return false;
}

static bool explain(const struct policy_set *set, const struct ref *ref, const char *written, struct buf *ret)
{
    const struct policy_image image = {.written = written,
                                       .host = ref->host,
                                       .repository = ref->repository,
                                       .tag = ref->tag,
                                       .digest = ref->digest};
    struct json_out out = json_out_to(ret);
    struct error ignored = ERROR_INIT;

    return policy_explain(set, &image, &out, &ignored) && buf_ok(ret);
}

static bool same_rules(const struct engine_config *config, const struct ref *one_ref, const char *one,
                       const struct ref *other_ref, const char *other)
{
    CLEANUP(buf_free) struct buf first = BUF_INIT(EXPLAIN_MAX_BYTES);
    CLEANUP(buf_free) struct buf second = BUF_INIT(EXPLAIN_MAX_BYTES);

    return explain(config->policies, one_ref, one, &first) && explain(config->policies, other_ref, other, &second) &&
           span_eq(buf_as_span(&first), buf_as_span(&second));
}

bool verdicts_same_rules(const struct engine_config *config, const char *one, const char *other)
{
    CLEANUP(ref_done) struct ref one_ref = {0};
    CLEANUP(ref_done) struct ref other_ref = {0};
    struct error ignored = ERROR_INIT;

    return ref_parse(span_str(one), &one_ref, &ignored) && ref_parse(span_str(other), &other_ref, &ignored) &&
           same_rules(config, &one_ref, one, &other_ref, other);
}

/*
 * Policies see the name as written too. The verdict counts for the canonical name as well only when exactly the same
 * rules match it by the same globs.
 */
static char *equal_canonical(const struct engine_config *config, const struct request *request)
{
    CLEANUP(ref_done) struct ref ref = {0};
    CLEANUP(mem_freep) char *canonical = NULL;
    struct error ignored = ERROR_INIT;

    if (!ref_parse(span_str(request->reference), &ref, &ignored) || ref.digest.alg != DIGEST_NONE)
        return NULL;
    canonical = canonical_name(&ref);
    if (!canonical || strcmp(canonical, request->reference) == 0 ||
        !same_rules(config, &ref, request->reference, &ref, canonical))
        return NULL;
    return TAKE_PTR(canonical);
}

/* In memory and on disk, under one reference (NULL = the request's own). */
static bool look_as(const char *root, const struct engine_config *config, const struct verdicts_kept *kept,
                    const struct request *request, const char *reference, unsigned int how, struct response *ret,
                    struct cache_times *ret_times)
{
    const char *fingerprint = config ? config->fingerprint : NULL;

    if (fingerprint && kept && kept->memory &&
        memory_find(kept->memory, fingerprint, request, reference, ret, ret_times))
        return true;
    return cache_lookup(root, fingerprint, request, reference, how, ret, ret_times);
}

/*
 * The verdict under another spelling counts only when these rules see no difference between the two; without rules at
 * hand nobody can tell.
 */
static bool look(const char *root, const struct engine_config *config, const struct verdicts_kept *kept,
                 const struct request *request, unsigned int how, struct response *ret, struct cache_times *ret_times)
{
    CLEANUP(mem_freep) char *canonical = NULL;

    if (!cache_may_hold(request))
        return false;
    if (look_as(root, config, kept, request, NULL, how, ret, ret_times))
        return true;
    canonical = config && config->policies ? equal_canonical(config, request) : NULL;
    return canonical && look_as(root, config, kept, request, canonical, how, ret, ret_times);
}

/* Tells the resident engine: the next request of that name and digest needs no worker. */
static void tell(const struct engine_config *config, const struct verdicts_kept *kept, const char *reference,
                 const struct cache_times *times, const struct response *response)
{
    CLEANUP(buf_free) struct buf entry = BUF_INIT(ENTRY_MAX_BYTES);

    if (!config || !kept || !reference)
        return;
    entry_write(&entry, config->fingerprint, reference, times, response);
    if (buf_ok(&entry))
        report_send(kept->report, REPORT_VERDICT, buf_as_span(&entry));
}

/* By these very rules, whenever that was, unless the clock itself has ended it since (a key's notAfter). */
static bool look_back(const char *root, const struct engine_config *config, const struct request *request,
                      struct response *ret, struct cache_times *ret_times)
{
    int64_t until;

    if (!look(root, config, NULL, request, CACHE_EXPIRED_TOO | CACHE_BY_ENGINE, ret, ret_times))
        return false;
    until = policy_set_valid_until(config->policies, ret_times->decided);
    if (until == 0 || time_now() < until)
        return true;
    response_done(ret);
    return false;
}

/* "verified on DATE", and what else there is to say. Without memory for that the kept message stays. */
static void say_when(struct response *response, const struct cache_times *times, const char *more)
{
    char when[TIME_TEXT_BYTES];

    response_say(response, mem_printf("verified on %s; %.300s", time_format(times->decided, when), more));
}

/*
 * A container starts from an image that is on the node already, and nothing may be fetched: what the pull proved counts
 * for as long as the rules stay the same. The cache's life bounds how long pulls go without asking again, not how long
 * a container may be started anew.
 */
static bool find_for_start(const char *root, const struct engine_config *config, const struct request *request,
                           struct response *ret)
{
    struct cache_times times;

    if (request->operation != OPERATION_CREATE || !(request->flags & REQUEST_NO_NETWORK) || !config ||
        !config->policies || !look_back(root, config, request, ret, &times))
        return false;
    say_when(ret, &times, "the image is on this node since");
    return true;
}

bool verdicts_find(const char *root, const struct settings *settings, const struct engine_config *config,
                   const struct verdicts_kept *kept, const struct request *request, struct response *ret)
{
    struct cache_times times;

    if (!settings->cache)
        return false;
    if (!look(root, config, kept, request, CACHE_BY_ENGINE, ret, &times))
        return find_for_start(root, config, request, ret);
    tell(config, kept, request->reference, &times, ret);
    return true;
}

/* At a pull it costs time only; but no start gate will know what this pull proved, and nobody would know why. */
static void say_unkept(struct response *response, const struct error *why)
{
    response_say(response, mem_printf("%.250s (start gates will not know it, as the verdict cannot be kept: %.150s)",
                                      response->message ? response->message : "", why->text));
}

static void keep(const char *root, const struct engine_config *config, const struct verdicts_kept *kept,
                 const struct request *request, struct response *response)
{
    int64_t now = time_now(), life = config->settings.cache_life_s;
    int64_t until = policy_set_valid_until(config->policies, now);
    struct cache_source source = {.fingerprint = config->fingerprint, .stamp = buf_as_span(&config->stamp)};
    CLEANUP(mem_freep) char *canonical = NULL;
    struct error err = ERROR_INIT;

    if (until > 0 && until - now < life)
        life = until - now;
    if (life <= 0 || !cache_is_keepable(request, response))
        return;
    source.times = (struct cache_times){.decided = now, .expires = now + life};
    canonical = equal_canonical(config, request);
    tell(config, kept, request->reference, &source.times, response);
    tell(config, kept, canonical, &source.times, response);
    /* Who is not root keeps nothing, and a verdict of this moment alone (UNSUPPORTED) is not to be kept. */
    if (!cache_store(root, &source, request, canonical, response, &err) && err.reason != REASON_UNSUPPORTED &&
        geteuid() == 0)
        say_unkept(response, &err);
}

static bool is_outage(enum reason reason)
{
    return reason == REASON_FETCH_FAILED || reason == REASON_TIMEOUT;
}

/* The registry is out of reach, and this very image was verified here under these very rules. */
static void forgive(const char *root, const struct engine_config *config, const struct request *request,
                    struct response *response)
{
    struct response held = {0};
    struct cache_times times;
    CLEANUP(mem_freep) char *now = NULL;

    if (!look_back(root, config, request, &held, &times))
        return;
    now = mem_printf("now: %.290s", response->message ? response->message : "");
    say_when(&held, &times, now ? now : "now out of memory");
    held.warned = true;
    held.requests = response->requests;
    response_done(response);
    *response = held;
}

void verdicts_after(const char *root, const struct engine_config *config, const struct verdicts_kept *kept,
                    const struct request *request, struct response *response)
{
    if (!config->settings.cache)
        return;
    if (verdict_is_allow(response->verdict))
        keep(root, config, kept, request, response);
    else if (config->settings.fetch_failure_cached && is_outage(response->reason))
        forgive(root, config, request, response);
}
