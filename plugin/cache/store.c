/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping verdicts: the engine's side, and `pullguard cache`. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/cache/cache.h"
#include "plugin/cache/entry.h"
#include "plugin/cache/format.h"
#include "plugin/cache/stamp.h"

enum {
    ENTRIES_MAX = 10000, /* more images than a node ever has; each is a file of about 1 KiB */
    CROWDED = ENTRIES_MAX / 2,
    SWEEP_ONE_IN = 64,
    TORN_SECONDS = 3600, /* a temporary file of this age belongs to nobody: its writer was killed */
};

bool cache_is_keepable(const struct request *request, const struct response *response)
{
    return cache_may_hold(request) && verdict_is_allow(response->verdict) && !response->warned && !response->cached &&
           response->digest && strcmp(request->digest, response->digest) == 0 &&
           (response->reason == REASON_OK || response->reason == REASON_STATIC_PASS);
}

static void directory_closep(DIR **stream)
{
    if (*stream)
        (void)closedir(*stream);
}

static bool directory_of(const char *root, char *dst, size_t size, struct error *err)
{
    int printed = snprintf(dst, size, "%s" CACHE_DIRECTORY, root ? root : "");

    return (printed > 0 && (size_t)printed < size) || error_set(err, REASON_LIMIT, "the root's path is too long");
}

/* Every missing directory; what is above the cache may be missing below a --root. */
static bool make_directory(const char *root, struct error *err)
{
    char path[CACHE_PATH_BYTES];

    if (!directory_of(root, path, sizeof(path), err))
        return false;
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return file_make_above(path, err) &&
           (mkdir(path, 0700) == 0 || errno == EEXIST || error_errno(err, REASON_IO, errno, "%s", path));
}

typedef void each_file(void *context, const char *path, const char *name);

/* Every file, hidden ones too, however many there are; no directory is no file. */
static bool for_each_file(const char *directory, each_file *each, void *context, struct error *err)
{
    CLEANUP(directory_closep) DIR *stream = opendir(directory);
    const struct dirent *found;

    if (!stream)
        return errno == ENOENT || error_errno(err, REASON_IO, errno, "%s", directory);
    while ((found = readdir(stream)) != NULL) {
        CLEANUP(mem_freep) char *path = NULL;

        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        path = mem_printf("%s/%s", directory, found->d_name);
        if (!path)
            return error_oom(err);
        each(context, path, found->d_name);
    }
    return true;
}

struct sweeping {
    struct span fingerprint; /* of the rules in force */
    int64_t now;
    size_t count, kept;
};

static void count_file(void *context, const char *path UNUSED, const char *name UNUSED)
{
    struct sweeping *sweeping = context;

    sweeping->count++;
}

static bool is_torn(const char *path, int64_t now)
{
    struct stat status;

    return stat(path, &status) == 0 && status.st_mtime + TORN_SECONDS < now;
}

static void sweep_file(void *context, const char *path, const char *name)
{
    struct sweeping *sweeping = context;
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    struct entry entry;
    bool alive;

    if (strcmp(name, "stamp") == 0)
        return;
    if (name[0] == '.')
        alive = !is_torn(path, sweeping->now);
    else
        alive = sweeping->kept < ENTRIES_MAX && format_read(path, &file) && entry_read(buf_as_span(&file), &entry) &&
                (sweeping->count <= CROWDED || (span_eq(entry.fingerprint, sweeping->fingerprint) &&
                                                sweeping->now < entry.times.expires));
    sweeping->kept += alive;
    if (!alive)
        (void)unlink(path);
}

/*
 * Neither expired entries nor those of other rules are waste: outages (on-fetch-failure) and container starts look back
 * at the first, `pullguard cache renew` at both. They go when there are many.
 */
static void sweep(const char *root, struct span fingerprint)
{
    struct sweeping sweeping = {.fingerprint = fingerprint, .now = time_now()};
    struct error err = ERROR_INIT;
    char directory[CACHE_PATH_BYTES];

    if (directory_of(root, directory, sizeof(directory), &err) &&
        for_each_file(directory, count_file, &sweeping, &err) && !for_each_file(directory, sweep_file, &sweeping, &err))
        return; /* what is left over costs room, not safety */
}

/*
 * Writes the stamp when it is another one than on disk; with it what other rules decided counts no more. One that does
 * not hold any more stays away: it could take the place of a newer one.
 */
static bool write_stamp(const char *root, const struct cache_source *source, struct error *err)
{
    CLEANUP(buf_free) struct buf before = BUF_INIT(STAMP_MAX_BYTES);
    CLEANUP(mem_freep) char *path = path_under(root, CACHE_DIRECTORY "/stamp");
    struct stamp ignored;

    if (!path)
        return error_oom(err);
    if (format_read(path, &before) && span_eq(buf_as_span(&before), source->stamp))
        return true;
    if (!stamp_holds(source->stamp, &ignored))
        return error_set(err, REASON_UNSUPPORTED, "the rules have changed since they were loaded");
    if (!file_write_atomic(path, source->stamp, 0600, false, err))
        return false;
    sweep(root, span_str(source->fingerprint));
    return true;
}

void entry_write(struct buf *buf, const char *fingerprint, const char *reference, const struct cache_times *times,
                 const struct response *response)
{
    size_t start = wire_begin(buf, FORMAT_VERDICT), nested;

    wire_put_str(buf, ENTRY_FINGERPRINT, fingerprint);
    wire_put_str(buf, ENTRY_REFERENCE, reference);
    wire_put_u64(buf, ENTRY_DECIDED, (uint64_t)times->decided);
    wire_put_u64(buf, ENTRY_EXPIRES, (uint64_t)times->expires);
    nested = wire_open(buf, ENTRY_RESPONSE);
    response_write(buf, response);
    wire_close(buf, nested);
    wire_end(buf, start);
    format_seal(buf);
}

static bool store_entry(const char *root, const struct cache_source *source, const char *reference,
                        const struct response *response, struct error *err)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    char path[CACHE_PATH_BYTES];

    entry_write(&file, source->fingerprint, reference, &source->times, response);
    if (!buf_ok(&file) || !entry_path(root, response->digest, reference, path, sizeof(path)))
        return error_set(err, REASON_LIMIT, "the verdict is too long to be kept");
    return file_write_atomic(path, buf_as_span(&file), 0600, false, err);
}

bool cache_store(const char *root, const struct cache_source *source, const struct request *request,
                 const char *canonical, const struct response *response, struct error *err)
{
    if (!cache_is_keepable(request, response))
        return error_set(err, REASON_UNSUPPORTED, "this verdict is for now only");
    if (source->stamp.len == 0)
        return error_set(err, REASON_UNSUPPORTED, "the rules have changed just now");
    if (!make_directory(root, err) || !write_stamp(root, source, err) ||
        !store_entry(root, source, request->reference, response, err))
        return false;
    if (canonical && strcmp(canonical, request->reference) != 0 &&
        !store_entry(root, source, canonical, response, err))
        return false;
    if (mono_us() % SWEEP_ONE_IN == 0)
        sweep(root, span_str(source->fingerprint));
    return true;
}

static void show(const char *path, const struct stamp *stamp, cache_each *each, void *context, bool *ret_go_on)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    CLEANUP(response_done) struct response response = {0};
    CLEANUP(mem_freep) char *reference = NULL;
    struct error err = ERROR_INIT;
    struct cache_entry shown;
    struct entry entry;

    if (!format_read(path, &file) || !entry_read(buf_as_span(&file), &entry) ||
        !response_read(entry.response, &response, &err))
        return;
    reference = span_dup(entry.reference);
    if (!reference)
        return;
    shown =
        (struct cache_entry){.reference = reference,
                             .digest = response.digest,
                             .policy = response.policy ? response.policy : "",
                             .fingerprint = entry.fingerprint,
                             .decided_at = entry.times.decided,
                             .expires = entry.times.expires,
                             .current = stamp->fingerprint.len > 0 &&
                                        span_eq(stamp->fingerprint, entry.fingerprint) &&
                                        time_now() < entry.times.expires};
    *ret_go_on = each(context, &shown);
}

bool cache_list(const char *root, cache_each *each, void *context, struct error *err)
{
    CLEANUP(buf_free) struct buf stamp_file = BUF_INIT(STAMP_MAX_BYTES);
    CLEANUP(names_free) struct names names = {0};
    char directory[CACHE_PATH_BYTES];
    CLEANUP(mem_freep) char *stamp_path = NULL;
    struct stamp stamp = {0};
    bool go_on = true;

    if (!directory_of(root, directory, sizeof(directory), err))
        return false;
    if (!dir_list(directory, NULL, &names, err))
        return err->reason == REASON_NOT_FOUND;
    stamp_path = mem_printf("%s/stamp", directory);
    if (!stamp_path)
        return error_oom(err);
    if (!format_read(stamp_path, &stamp_file) || !stamp_holds(buf_as_span(&stamp_file), &stamp))
        stamp = (struct stamp){0};
    for (size_t i = 0; i < names.count && go_on; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, names.items[i]);

        if (!path)
            return error_oom(err);
        show(path, &stamp, each, context, &go_on);
    }
    return true;
}

struct clearing {
    const char *kept; /* fingerprint; NULL = nothing is kept */
    uint64_t removed;
    int errnum; /* of the first that stays */
};

static bool is_by(const char *path, const char *fingerprint)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    struct entry entry;

    return format_read(path, &file) && entry_read(buf_as_span(&file), &entry) &&
           span_eq(entry.fingerprint, span_str(fingerprint));
}

static void clear_file(void *context, const char *path, const char *name)
{
    struct clearing *clearing = context;

    if (clearing->kept && (strcmp(name, "stamp") == 0 || is_by(path, clearing->kept)))
        return;
    if (unlink(path) == 0)
        clearing->removed += strcmp(name, "stamp") != 0 && name[0] != '.';
    else if (errno != ENOENT && clearing->errnum == 0)
        clearing->errnum = errno;
}

bool cache_clear(const char *root, const char *kept, uint64_t *ret_removed, struct error *err)
{
    struct clearing clearing = {.kept = kept};
    char directory[CACHE_PATH_BYTES];

    *ret_removed = 0;
    if (!directory_of(root, directory, sizeof(directory), err) ||
        !for_each_file(directory, clear_file, &clearing, err))
        return false;
    *ret_removed = clearing.removed;
    return clearing.errnum == 0 || error_errno(err, REASON_IO, clearing.errnum, "%s", directory);
}
