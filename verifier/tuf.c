/* SPDX-License-Identifier: Apache-2.0 */
/* The client's workflow (TUF specification section 5), one file at a time. */
#include "verifier/tuf.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "verifier/tuf_internal.h"

enum {
    MAX_ROOTS = 256, /* new roots in one update */
    TARGET_PATH_MAX = 256,
};

static bool fail(struct tuf *tuf)
{
    tuf->step = STEP_FAILED;
    return false;
}

void tuf_free(struct tuf *tuf)
{
    if (!tuf)
        return;
    for (size_t i = 0; i < TUF_ROLES; i++)
        tuf_document_done(&tuf->trusted[i]);
    for (size_t i = 0; i < tuf->delegated_count; i++)
        tuf_document_done(&tuf->delegated[i].document);
    for (size_t i = 0; i < tuf->target_count; i++) {
        mem_free(tuf->targets[i].name);
        mem_free(tuf->targets[i].bytes);
    }
    mem_free(tuf);
}

void tuf_freep(struct tuf **tuf)
{
    tuf_free(*tuf);
    *tuf = NULL;
}

/* A path below targets/, in our own and the mirror's file system: plain characters, no "..". */
static bool target_name_ok(const char *name)
{
    struct span text = span_str(name);

    if (text.len == 0 || text.len > TARGET_PATH_MAX || name[0] == '/' || name[text.len - 1] == '/' ||
        strstr(name, "..") || strstr(name, "//"))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || strchr("%?#\\", text.ptr[i]))
            return false;
    return true;
}

static bool take_names(struct tuf *tuf, const char *const *names, size_t count, const struct span *stored,
                       struct error *err)
{
    if (count > TUF_MAX_TARGETS)
        return error_set(err, REASON_LIMIT, "more than %d targets", (int)TUF_MAX_TARGETS);
    for (size_t i = 0; i < count; i++) {
        struct tuf_file *target = &tuf->targets[i];

        if (!target_name_ok(names[i]))
            return error_set(err, REASON_BAD_REQUEST, "a target's name is empty, too long or no plain path");
        target->name = mem_strdup(names[i]);
        tuf->target_count++;
        if (!target->name)
            return error_oom(err);
        if (!stored || stored[i].len == 0)
            continue;
        target->bytes = mem_dup(stored[i].ptr, stored[i].len);
        target->len = stored[i].len;
        if (!target->bytes)
            return error_oom(err);
    }
    return true;
}

/* Stored metadata is as trustworthy as its signatures; what does not verify any more is dropped without a word. */
static void load_stored(struct tuf *tuf, enum tuf_role role, struct span bytes)
{
    struct tuf_document document CLEANUP(tuf_document_done) = {.bytes = NULL};
    struct error ignored = ERROR_INIT;

    if (bytes.len == 0 || bytes.len > tuf_max_bytes[role] ||
        !tuf_document_parse(bytes, role, NULL, &document, &ignored) ||
        !tuf_verify_role(&tuf->trusted[TUF_ROOT], role, &document, &ignored))
        return;
    tuf_document_move(&tuf->trusted[role], &document);
}

bool tuf_new(const struct tuf_stored *stored, const char *const *names, size_t name_count, int64_t now,
             struct tuf **ret, struct error *err)
{
    struct tuf *tuf CLEANUP(tuf_freep) = mem_new(1, sizeof(*tuf));
    struct tuf_document *root;

    if (!tuf)
        return error_oom(err);
    root = &tuf->trusted[TUF_ROOT];
    tuf->now = now;
    tuf->step = STEP_ROOT;
    if (!take_names(tuf, names, name_count, stored->targets, err))
        return false;
    if (stored->roles[TUF_ROOT].len > tuf_max_bytes[TUF_ROOT])
        return error_set(err, REASON_LIMIT, "root.json of more than %zu bytes", tuf_max_bytes[TUF_ROOT]);
    if (!tuf_document_parse(stored->roles[TUF_ROOT], TUF_ROOT, NULL, root, err) ||
        !tuf_verify_role(root, TUF_ROOT, root, err))
        return error_wrap(err, "trusted root");
    for (size_t role = TUF_TIMESTAMP; role < TUF_ROLES; role++)
        load_stored(tuf, (enum tuf_role)role, stored->roles[role]);
    *ret = TAKE_PTR(tuf);
    return true;
}

bool tuf_finished(const struct tuf *tuf)
{
    return tuf->step == STEP_DONE;
}

/* 5.3.4 to 5.3.8: by the old root's keys and by its own, and the very next version. */
static bool give_root(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_document *old = &tuf->trusted[TUF_ROOT];
    struct tuf_document document CLEANUP(tuf_document_done) = {.bytes = NULL};

    if (!tuf_document_parse(bytes, TUF_ROOT, NULL, &document, err) || !tuf_verify_role(old, TUF_ROOT, &document, err) ||
        !tuf_verify_role(&document, TUF_ROOT, &document, err))
        return false;
    if (document.version != old->version + 1)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "root.json is of version %lld; want %lld",
                         (long long)document.version, (long long)old->version + 1);
    /* 5.3.11: after a rotation old versions count no more, which is how a repository recovers from a fast-forward
     * attack */
    if (!tuf_same_role(old, &document, TUF_TIMESTAMP) || !tuf_same_role(old, &document, TUF_SNAPSHOT)) {
        tuf_document_done(&tuf->trusted[TUF_TIMESTAMP]);
        tuf_document_done(&tuf->trusted[TUF_SNAPSHOT]);
    }
    tuf_document_move(old, &document);
    if (++tuf->roots_read > MAX_ROOTS)
        return error_set(err, REASON_LIMIT, "more than %d new versions of root.json", (int)MAX_ROOTS);
    return true;
}

/* There is no newer root: it must not have expired. What else is stored is held against it when it is used. */
static bool finish_roots(struct tuf *tuf, struct error *err)
{
    const struct tuf_document *root = &tuf->trusted[TUF_ROOT];

    if (!tuf_check_expiry(tuf, root, err))
        return false;
    tuf->consistent = false;
    if (node_get(root->signed_part, "consistent_snapshot") &&
        !node_bool(node_get(root->signed_part, "consistent_snapshot"), &tuf->consistent))
        return error_set(err, REASON_MALFORMED, "root.json has a consistent_snapshot that is neither true nor false");
    tuf->step = STEP_TIMESTAMP;
    return true;
}

/* 5.7: what is known about a target that was found; stored bytes that are not that are dropped. */
static bool take_entry(struct tuf_file *target, const struct tuf_search *found, struct error *err)
{
    struct error ignored = ERROR_INIT;

    if (!node_is(found->entry, NODE_MAP))
        return error_set(err, REASON_MALFORMED, "%s says nothing usable about %s", found->by->file, target->name);
    if (!tuf_meta_parse(found->entry, true, &target->meta, err))
        return error_wrap(err, "%s", found->by->file);
    if (target->meta.length == 0 || target->meta.length > LIMIT_TRUST_ROOT_BYTES)
        return error_set(err, REASON_LIMIT, "%s is empty or larger than %d bytes", target->name,
                         (int)LIMIT_TRUST_ROOT_BYTES);
    if (!tuf_meta_check_hashes(&target->meta, target->name, err))
        return false;
    if (target->bytes &&
        !tuf_meta_matches(&target->meta, span_of(target->bytes, target->len), target->name, &ignored)) {
        mem_free(target->bytes);
        target->bytes = NULL;
        target->len = 0;
    }
    return true;
}

/* 5.6.7: finds the targets, or the next delegated role that has to be asked about one. */
static bool find_targets(struct tuf *tuf, struct error *err)
{
    for (size_t i = 0; i < tuf->target_count; i++) {
        struct tuf_file *target = &tuf->targets[i];

        if (!tuf_search_target(&tuf->trusted[TUF_TARGETS], tuf->delegated, tuf->delegated_count, target->name,
                               &tuf->search, err))
            return false;
        if (tuf->search.delegation) {
            struct tuf_meta meta;

            tuf->step = STEP_DELEGATED;
            return tuf_wanted_meta(tuf, TUF_TARGETS, tuf->search.file, &meta, err);
        }
        if (!tuf->search.entry)
            return error_set(err, REASON_NOT_FOUND, "targets.json version %lld and its delegations do not name %s",
                             (long long)tuf->trusted[TUF_TARGETS].version, target->name);
        if (!take_entry(target, &tuf->search, err))
            return false;
    }
    tuf->step = STEP_FILES;
    tuf->target_at = 0;
    return true;
}

/* Goes on past everything that is there already. */
static bool advance(struct tuf *tuf, struct error *err)
{
    struct error ignored = ERROR_INIT;
    struct tuf_meta meta;

    if (tuf->step == STEP_SNAPSHOT) {
        if (!tuf_wanted_meta(tuf, TUF_SNAPSHOT, tuf_role_file(TUF_SNAPSHOT), &meta, err))
            return false;
        if (tuf->trusted[TUF_SNAPSHOT].tree &&
            tuf_check_against(tuf, TUF_SNAPSHOT, &tuf->trusted[TUF_SNAPSHOT], &ignored))
            tuf->step = STEP_TARGETS;
    }
    if (tuf->step == STEP_TARGETS) {
        if (!tuf_wanted_meta(tuf, TUF_TARGETS, tuf_role_file(TUF_TARGETS), &meta, err))
            return false;
        if (tuf->trusted[TUF_TARGETS].tree &&
            tuf_check_against(tuf, TUF_TARGETS, &tuf->trusted[TUF_TARGETS], &ignored) && !find_targets(tuf, err))
            return false;
    }
    if (tuf->step == STEP_FILES) {
        while (tuf->target_at < tuf->target_count && tuf->targets[tuf->target_at].bytes)
            tuf->target_at++;
        if (tuf->target_at == tuf->target_count)
            tuf->step = STEP_DONE;
    }
    return true;
}

/* 5.4: signatures, no way back, not expired. The same version again is the same file: what is stored stays. */
static bool give_timestamp(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_document document CLEANUP(tuf_document_done) = {.bytes = NULL};
    struct tuf_document *old = &tuf->trusted[TUF_TIMESTAMP];
    struct tuf_meta had, got;

    if (!tuf_document_parse(bytes, TUF_TIMESTAMP, NULL, &document, err) ||
        !tuf_verify_role(&tuf->trusted[TUF_ROOT], TUF_TIMESTAMP, &document, err) ||
        !tuf_meta_find(&document, tuf_role_file(TUF_SNAPSHOT), &got, err))
        return false;
    if (old->tree) {
        if (document.version < old->version)
            return tuf_rolled_back(TUF_TIMESTAMP, old->version, document.version, err);
        if (!tuf_meta_find(old, tuf_role_file(TUF_SNAPSHOT), &had, err))
            return false;
        if (got.version < had.version)
            return tuf_rolled_back(TUF_SNAPSHOT, had.version, got.version, err);
    }
    if (!old->tree || document.version > old->version)
        tuf_document_move(old, &document);
    if (!tuf_check_expiry(tuf, old, err))
        return false;
    tuf->step = STEP_SNAPSHOT;
    return true;
}

/* Length and hashes first (5.5.2, 5.6.2): what is not the file that was named is not even parsed. */
static bool parse_named(const struct tuf *tuf, enum tuf_role role, const char *file, struct span bytes,
                        struct tuf_document *ret, struct error *err)
{
    struct tuf_meta meta;

    return tuf_wanted_meta(tuf, role, file, &meta, err) && tuf_meta_matches(&meta, bytes, file, err) &&
           tuf_document_parse(bytes, role, file, ret, err);
}

static bool give_snapshot(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_document document CLEANUP(tuf_document_done) = {.bytes = NULL};
    struct tuf_document *old = &tuf->trusted[TUF_SNAPSHOT];

    if (!parse_named(tuf, TUF_SNAPSHOT, tuf_role_file(TUF_SNAPSHOT), bytes, &document, err) ||
        !tuf_check_against(tuf, TUF_SNAPSHOT, &document, err))
        return false;
    if (old->tree && !tuf_check_rollback(old, &document, err))
        return false;
    tuf_document_move(old, &document);
    tuf->step = STEP_TARGETS;
    return true;
}

static bool give_targets(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_document document CLEANUP(tuf_document_done) = {.bytes = NULL};

    if (!parse_named(tuf, TUF_TARGETS, tuf_role_file(TUF_TARGETS), bytes, &document, err) ||
        !tuf_check_against(tuf, TUF_TARGETS, &document, err))
        return false;
    tuf_document_move(&tuf->trusted[TUF_TARGETS], &document);
    return find_targets(tuf, err);
}

static bool give_delegated(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_document document CLEANUP(tuf_document_done) = {.bytes = NULL};
    struct tuf_delegated *place = &tuf->delegated[tuf->delegated_count]; /* the search has seen that there is room */

    if (!parse_named(tuf, TUF_TARGETS, tuf->search.file, bytes, &document, err) ||
        !tuf_verify_delegated(tuf->search.by, tuf->search.delegation, &document, err) ||
        !tuf_check_named(tuf, TUF_TARGETS, &document, err))
        return false;
    tuf_document_move(&place->document, &document);
    place->delegation = tuf->search.delegation;
    tuf->delegated_count++;
    return find_targets(tuf, err);
}

static bool give_target(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_file *target = &tuf->targets[tuf->target_at];

    if (!tuf_meta_matches(&target->meta, bytes, target->name, err))
        return false;
    target->bytes = mem_dup(bytes.ptr, bytes.len);
    target->len = bytes.len;
    return target->bytes ? true : error_oom(err);
}

static bool give(struct tuf *tuf, struct span bytes, struct error *err)
{
    switch (tuf->step) {
    case STEP_ROOT:
        return give_root(tuf, bytes, err);
    case STEP_TIMESTAMP:
        return give_timestamp(tuf, bytes, err);
    case STEP_SNAPSHOT:
        return give_snapshot(tuf, bytes, err);
    case STEP_TARGETS:
        return give_targets(tuf, bytes, err);
    case STEP_DELEGATED:
        return give_delegated(tuf, bytes, err);
    case STEP_FILES:
        return give_target(tuf, bytes, err);
    case STEP_DONE:
    case STEP_FAILED:
    default:
        return error_set(err, REASON_INTERNAL, "TUF: no file was asked for");
    }
}

bool tuf_give(struct tuf *tuf, struct span bytes, struct error *err)
{
    struct tuf_request request;

    /* 5.1, endless data: whoever fetches stops there; this is for one that did not */
    if (tuf_wants(tuf, &request) && bytes.len > request.max_bytes) {
        (void)fail(tuf);
        return error_set(err, REASON_LIMIT, "%s has more than %zu bytes", request.name, request.max_bytes);
    }
    return give(tuf, bytes, err) && advance(tuf, err) ? true : fail(tuf);
}

bool tuf_absent(struct tuf *tuf, struct error *err)
{
    struct tuf_request request;

    if (tuf->step == STEP_ROOT)
        return finish_roots(tuf, err) ? true : fail(tuf);
    if (!tuf_wants(tuf, &request))
        return error_set(err, REASON_INTERNAL, "TUF: no file was asked for");
    (void)fail(tuf);
    return error_set(err, REASON_NOT_FOUND, "the repository has no %s", request.name);
}

struct span tuf_target(const struct tuf *tuf, size_t index)
{
    if (tuf->step != STEP_DONE || index >= tuf->target_count)
        return span_of(NULL, 0);
    return span_of(tuf->targets[index].bytes, tuf->targets[index].len);
}

struct span tuf_state(const struct tuf *tuf, enum tuf_role role)
{
    return span_of(tuf->trusted[role].bytes, tuf->trusted[role].len);
}

int64_t tuf_version(const struct tuf *tuf, enum tuf_role role)
{
    return tuf->trusted[role].version;
}

int64_t tuf_expires(const struct tuf *tuf, enum tuf_role role)
{
    return tuf->trusted[role].expires;
}
