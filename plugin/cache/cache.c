/* SPDX-License-Identifier: Apache-2.0 */
/* Looking verdicts up. Beside message.c the only caller of verdict_from_wire (through response_read). */
#include "plugin/cache/cache.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/cache/entry.h"
#include "plugin/cache/format.h"
#include "plugin/cache/stamp.h"

/* "sha256:" and 64 lower-case digits: the digest becomes part of a file name. */
static bool is_plain_digest(const char *digest)
{
    static const char prefix[] = "sha256:";
    const char *hex;

    if (!digest || strncmp(digest, prefix, sizeof(prefix) - 1) != 0)
        return false;
    hex = digest + sizeof(prefix) - 1;
    return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

/*
 * True when the runtime's descriptor is none, or says the digest in so many letters. Without a backslash a JSON name
 * can be written in one way only; once in the whole text, it is the descriptor's own or there is none that contradicts.
 * Anything else is for the judge, who reads JSON: the hook does not.
 */
static bool descriptor_agrees(const char *descriptor, const char *digest)
{
    static const char name[] = "\"digest\"";
    const char *at, *value;
    size_t len = strlen(digest);

    if (!descriptor)
        return true;
    at = strstr(descriptor, name);
    if (!at || strchr(descriptor, '\\') || strstr(at + 1, name))
        return false;
    value = at + sizeof(name) - 1;
    return strncmp(value, ":\"", 2) == 0 && strncmp(value + 2, digest, len) == 0 && value[2 + len] == '"';
}

bool cache_may_hold(const struct request *request)
{
    const uint32_t fresh = REQUEST_REPORT | REQUEST_EVIDENCE | REQUEST_NO_CACHE | REQUEST_INSECURE | REQUEST_COLLECT;

    return request->reference && is_plain_digest(request->digest) && (request->flags & fresh) == 0 &&
           !request->policy && !request->member && descriptor_agrees(request->descriptor, request->digest);
}

bool entry_path(const char *root, const char *digest, const char *reference, char *dst, size_t size)
{
    const char *hex = strchr(digest, ':');
    int printed = snprintf(dst, size, "%s" CACHE_DIRECTORY "/%s-%016llx", root ? root : "", hex ? hex + 1 : digest,
                           (unsigned long long)format_hash(span_str(reference)));

    return printed > 0 && (size_t)printed < size;
}

bool entry_read(struct span file, struct entry *ret)
{
    struct wire_message message;
    struct entry entry = {0};
    struct reader records;
    struct span value;
    uint64_t decided = 0, expires = 0;
    uint16_t tag;

    if (!format_open(file, FORMAT_VERDICT, &message))
        return false;
    records = reader_of(message.records);
    while (wire_next(&records, &tag, &value)) {
        if (tag == ENTRY_FINGERPRINT)
            entry.fingerprint = value;
        else if (tag == ENTRY_REFERENCE)
            entry.reference = value;
        else if (tag == ENTRY_RESPONSE)
            entry.response = value;
        else if ((tag == ENTRY_DECIDED && !wire_u64(value, &decided)) ||
                 (tag == ENTRY_EXPIRES && !wire_u64(value, &expires)))
            return false;
    }
    entry.times = (struct cache_times){.decided = (int64_t)decided, .expires = (int64_t)expires};
    if (records.failed || entry.fingerprint.len == 0 || entry.reference.len == 0 || decided == 0 ||
        expires <= decided || expires > INT64_MAX)
        return false;
    *ret = entry;
    return true;
}

/* Not before it was made (a clock that went back), not after its end. */
static bool in_time(const struct entry *entry, unsigned int look)
{
    int64_t now = time_now();

    return now >= entry->times.decided && (now < entry->times.expires || (look & CACHE_EXPIRED_TOO));
}

bool entry_counts(const struct entry *entry, const char *reference, unsigned int look)
{
    return span_eq_str(entry->reference, reference) && in_time(entry, look);
}

bool entry_response(const struct entry *entry, const struct request *request, struct response *ret)
{
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;

    if (!response_read(entry->response, &response, &err) || !verdict_is_allow(response.verdict) || response.warned ||
        strcmp(response.digest, request->digest) != 0)
        return false;
    response.cached = true;
    response.requests = 0;
    response.duration_us = 0;
    *ret = response;
    response = (struct response){0};
    return true;
}

bool cache_lookup(const char *root, const char *fingerprint, const struct request *request, const char *reference,
                  unsigned int look, struct response *ret, struct cache_times *ret_times)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    CLEANUP(buf_free) struct buf stamp_file = BUF_INIT(STAMP_MAX_BYTES);
    char path[CACHE_PATH_BYTES];
    struct entry entry;
    struct stamp stamp;
    int printed;

    if (!cache_may_hold(request))
        return false;
    if (!reference)
        reference = request->reference;
    if (!entry_path(root, request->digest, reference, path, sizeof(path)) || !format_read(path, &file) ||
        !entry_read(buf_as_span(&file), &entry) || !entry_counts(&entry, reference, look) ||
        (fingerprint && !span_eq_str(entry.fingerprint, fingerprint)))
        return false;
    printed = snprintf(path, sizeof(path), "%s" CACHE_DIRECTORY "/stamp", root ? root : "");
    if (printed < 0 || (size_t)printed >= sizeof(path) || !format_read(path, &stamp_file) ||
        !stamp_holds(buf_as_span(&stamp_file), &stamp) || !span_eq(stamp.fingerprint, entry.fingerprint) ||
        (stamp.engine_only && !(look & CACHE_BY_ENGINE)) || !entry_response(&entry, request, ret))
        return false;
    *ret_times = entry.times;
    return true;
}
