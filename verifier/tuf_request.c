/* SPDX-License-Identifier: Apache-2.0 */
/* Which file of the repository is wanted next, under which name, how long at the most. */
#include <stdio.h>
#include <string.h>

#include "verifier/tuf_internal.h"

/* What go-tuf allows (sigstore.md 3.9), bytes. */
const size_t tuf_max_bytes[TUF_ROLES] = {512000, 16384, 2000000, 5000000};

/* Specification 6.2: with consistent snapshots a file's name starts with its version, a target's with its hash. */
static void metadata_name(bool versioned, const char *file, int64_t version, struct tuf_request *ret)
{
    if (versioned)
        (void)snprintf(ret->name, sizeof(ret->name), "%lld.%s", (long long)version, file);
    else
        (void)snprintf(ret->name, sizeof(ret->name), "%s", file);
}

static void target_request(const struct tuf *tuf, const struct tuf_file *target, struct tuf_request *ret)
{
    const struct node *hash = node_get(target->meta.hashes, "sha256");
    const char *slash = strrchr(target->name, '/');
    int folder = slash ? (int)(slash - target->name) + 1 : 0;

    if (!hash)
        hash = node_get(target->meta.hashes, "sha512");
    ret->max_bytes = (size_t)target->meta.length;
    if (tuf->consistent && hash) /* take_entry has seen that it is hex */
        (void)snprintf(ret->name, sizeof(ret->name), "targets/%.*s%.*s.%s", folder, target->name, (int)hash->text.len,
                       (const char *)hash->text.ptr, target->name + folder);
    else
        (void)snprintf(ret->name, sizeof(ret->name), "targets/%s", target->name);
}

bool tuf_wanted_meta(const struct tuf *tuf, enum tuf_role role, const char *file, struct tuf_meta *ret,
                     struct error *err)
{
    return tuf_meta_find(&tuf->trusted[role == TUF_SNAPSHOT ? TUF_TIMESTAMP : TUF_SNAPSHOT], file, ret, err);
}

static void role_request(const struct tuf *tuf, enum tuf_role role, const char *file, struct tuf_request *ret)
{
    struct tuf_meta meta = {.length = -1};
    struct error ignored = ERROR_INIT;

    ret->max_bytes = tuf_max_bytes[role];
    if (tuf_wanted_meta(tuf, role, file, &meta, &ignored) && meta.length >= 0 &&
        (uint64_t)meta.length < tuf_max_bytes[role])
        ret->max_bytes = (size_t)meta.length;
    metadata_name(tuf->consistent, file, meta.version, ret);
}

bool tuf_wants(const struct tuf *tuf, struct tuf_request *ret)
{
    switch (tuf->step) {
    case STEP_ROOT:
        ret->max_bytes = tuf_max_bytes[TUF_ROOT];
        metadata_name(true, tuf_role_file(TUF_ROOT), tuf->trusted[TUF_ROOT].version + 1, ret);
        return true;
    case STEP_TIMESTAMP:
        ret->max_bytes = tuf_max_bytes[TUF_TIMESTAMP];
        metadata_name(false, tuf_role_file(TUF_TIMESTAMP), 0, ret);
        return true;
    case STEP_SNAPSHOT:
        role_request(tuf, TUF_SNAPSHOT, tuf_role_file(TUF_SNAPSHOT), ret);
        return true;
    case STEP_TARGETS:
        role_request(tuf, TUF_TARGETS, tuf_role_file(TUF_TARGETS), ret);
        return true;
    case STEP_DELEGATED:
        role_request(tuf, TUF_TARGETS, tuf->search.file, ret);
        return true;
    case STEP_FILES:
        target_request(tuf, &tuf->targets[tuf->target_at], ret);
        return true;
    case STEP_DONE:
    case STEP_FAILED:
    default:
        return false;
    }
}
