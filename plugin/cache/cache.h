/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positive verdicts on disk. libc only: the hook looks them up itself, so that a repeated pull costs a process start.
 *
 *   <root>/var/cache/pullguard/verdicts/stamp            what the files that decide looked like when they were last
 * loaded <root>/var/cache/pullguard/verdicts/<hex>-<hash>     one verdict for one digest under one name
 *
 * Why a hit is safe:
 *  - Only root (or the invoking user) can have written what is believed: owner and mode of each file are checked after
 * it is open. The judge and the fetcher run as another user and cannot.
 *  - The key is in the file: digest and reference exactly as the runtime wrote it. A renamed file is a miss.
 *  - An entry counts only with the stamp's fingerprint, and the stamp only while every file and directory that decides
 *    (settings, policies, keys, trust roots, the engine) is the same inode with the same size, change time, owner and
 *    mode. Change times cannot be set back; a file changed within two seconds before it was loaded gives no stamp at
 * all.
 *  - Directories above them must still have the owner and mode they had.
 *  - It has a life (settings, cache.life), and no life beyond the time at which a rule of the policy would end it.
 * Anything odd, short or unreadable is a miss. Deny is never stored.
 */
#ifndef PG_PLUGIN_CACHE_CACHE_H
#define PG_PLUGIN_CACHE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "plugin/message.h"

enum cache_look {
    CACHE_FRESH = 0,
    CACHE_EXPIRED_TOO = 1 << 0, /* on-fetch-failure: cached */
    CACHE_BY_ENGINE = 1 << 1,   /* the caller writes every log, not the journal alone */
};

/*
 * Could this request be answered from, and its answer kept in, the cache? Not when its descriptor may name another
 * digest: only a fresh decision reads it, and denies then.
 */
bool cache_may_hold(const struct request *request);

/* When a verdict was reached, and until when it counts (time_now()). */
struct cache_times {
    int64_t decided, expires;
};

/*
 * A response when one is held; false = a miss. fingerprint: of the rules it must have been decided by; NULL = whatever
 * is in force. `reference` stands for request->reference when not NULL (a canonical form).
 */
bool cache_lookup(const char *root, const char *fingerprint, const struct request *request, const char *reference,
                  unsigned int look, struct response *ret, struct cache_times *ret_times);

/* The rules behind a verdict, as they were loaded, and for how long it counts. */
struct cache_source {
    const char *fingerprint;       /* of everything that decided */
    struct span stamp;             /* plugin/cache/stamp.h, made when it was loaded; empty = nothing may be kept */
    struct cache_times times;
};

/* What may be kept: only what a rule satisfied, never what was let through although something failed. */
bool cache_is_keepable(const struct request *request, const struct response *response);

/* Keeps an allow for the request's own reference, and for `canonical` too when not NULL. Failure = not kept. */
bool cache_store(const char *root, const struct cache_source *source, const struct request *request,
                 const char *canonical, const struct response *response, struct error *err) MUST_CHECK;

/* For `pullguard cache`. each: false stops. Entries that do not read are left out of the list, and removed by clear. */
struct cache_entry {
    const char *reference, *digest, *policy;
    struct span fingerprint; /* of the rules that it was decided by */
    int64_t decided_at, expires;
    bool current; /* the fingerprint is the stamp's, the stamp holds, and its time is not over */
};
typedef bool cache_each(void *context, const struct cache_entry *entry);
bool cache_list(const char *root, cache_each *each, void *context, struct error *err) MUST_CHECK;
/* kept: the fingerprint whose verdicts stay; NULL = none does. */
bool cache_clear(const char *root, const char *kept, uint64_t *ret_removed, struct error *err) MUST_CHECK;

#endif
