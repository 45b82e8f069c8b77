/* SPDX-License-Identifier: Apache-2.0 */
/* TUF repositories that a test makes itself, and updates from them as a program would run them. */
#ifndef PG_TESTS_UNIT_TUF_REPO_H
#define PG_TESTS_UNIT_TUF_REPO_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/privkey.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"
#include "verifier/tuf.h"

enum { NOW = 1795451667, DAY = 86400, MAX_FILES = 64, KEYS = 8, FILE_MAX = 64 * 1024 };

static const char *const TARGET = "trusted_root.json";
static const char TARGET_BYTES[] = "{\"mediaType\":\"test\"}\n";

/* Eight keys for all repositories, made once; their ids are letters, so that their order is known. */
static struct privkey *keys[KEYS];

static inline void make_keys(void)
{
    struct buf pem CLEANUP(buf_free) = vector_read("crypto/keys/private-ed25519.pem");
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < KEYS - 1; i++)
        ck_assert(keys[i] || privkey_generate(&keys[i], &err));
    ck_assert(keys[KEYS - 1] || privkey_parse_pem(buf_as_span(&pem), &keys[KEYS - 1], &err));
}

static inline void free_keys(void)
{
    for (size_t i = 0; i < KEYS; i++)
        privkey_freep(&keys[i]);
}

/* Text of a key in JSON: as signed (line feeds as they are) or as in a file (escaped, and with a space after each
 * colon). */
static inline void put_key(struct buf *buf, char id, bool canonical)
{
    const struct pubkey *key = privkey_public(keys[id - 'a']);
    const char *gap = canonical ? "" : " ";
    struct buf pem CLEANUP(buf_free) = BUF_INIT(FILE_MAX);

    if (pubkey_type(key) == KEY_ED25519) {
        char hex[65];

        hex_encode(span_cut(pubkey_spki(key), 12, 32), hex);
        buf_printf(buf, "\"%c\":%s{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"%s\"},\"scheme\":\"ed25519\"}", id,
                   gap, hex);
        return;
    }
    buf_printf(buf, "\"%c\":%s{\"keytype\":\"ecdsa\",\"keyval\":{\"public\":\"", id, gap);
    pubkey_write_pem(key, &pem);
    for (size_t i = 0; i < pem.len; i++) {
        if (pem.ptr[i] == '\n' && !canonical)
            buf_str(buf, "\\n");
        else
            buf_byte(buf, pem.ptr[i]);
    }
    buf_str(buf, "\"},\"scheme\":\"ecdsa-sha2-nistp256\"}");
}

struct role {
    const char *ids; /* letters of keys */
    int threshold;
};

static inline void put_role(struct buf *buf, const char *name, const struct role *role, bool last)
{
    buf_printf(buf, "\"%s\":{\"keyids\":[", name);
    for (const char *id = role->ids; *id; id++)
        buf_printf(buf, "%s\"%c\"", id == role->ids ? "" : ",", *id);
    buf_printf(buf, "],\"threshold\":%d}%s", role->threshold, last ? "" : ",");
}

struct root {
    int version;
    int64_t expires;
    struct role root, snapshot, targets, timestamp;
    const char *signers; /* who signs this root */
};

static const struct root ROOT1 = {1, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "ab"};

static inline void put_root(struct buf *buf, const struct root *root, bool canonical)
{
    char when[TIME_TEXT_BYTES];

    buf_str(buf, "{\"_type\":\"root\",\"consistent_snapshot\":true,");
    buf_printf(buf, "\"expires\":\"%s\",\"keys\":{", time_format(root->expires, when));
    for (char id = 'a'; id < 'a' + KEYS; id++) {
        if (id > 'a')
            buf_byte(buf, ',');
        put_key(buf, id, canonical);
    }
    buf_str(buf, "},\"roles\":{");
    put_role(buf, "root", &root->root, false);
    put_role(buf, "snapshot", &root->snapshot, false);
    put_role(buf, "targets", &root->targets, false);
    put_role(buf, "timestamp", &root->timestamp, true);
    buf_printf(buf, "},\"spec_version\":\"1.0\",\"version\":%d,\"x-unknown\":[1,null]}", root->version);
}

/* {"signatures": ..., "signed": file form}, signed over the canonical form. An id in capitals signs nothing: "". */
static inline struct buf seal(struct span canonical, struct span file, const char *signers)
{
    struct buf made = BUF_INIT(FILE_MAX);

    buf_str(&made, "{\n \"signatures\": [");
    for (const char *id = signers; *id; id++) {
        struct buf sig CLEANUP(buf_free) = BUF_INIT(512);
        char hex[1025] = "";
        struct error err = ERROR_INIT;
        bool empty = *id < 'a';

        if (!empty) {
            ck_assert(privkey_sign(keys[*id - 'a'], canonical, &sig, &err));
            hex_encode(buf_as_span(&sig), hex);
        }
        buf_printf(&made, "%s{\"keyid\":\"%c\",\"sig\":\"%s\"}", id == signers ? "" : ",", empty ? *id + 32 : *id, hex);
    }
    buf_str(&made, "],\n \"signed\": ");
    buf_span(&made, file);
    buf_str(&made, "\n}");
    ck_assert(buf_ok(&made));
    return made;
}

static inline struct buf make_root(const struct root *root)
{
    struct buf canonical CLEANUP(buf_free) = BUF_INIT(FILE_MAX);
    struct buf file CLEANUP(buf_free) = BUF_INIT(FILE_MAX);

    put_root(&canonical, root, true);
    put_root(&file, root, false);
    return seal(buf_as_span(&canonical), buf_as_span(&file), root->signers);
}

/* An entry of a targets role's delegations. */
struct delegation {
    const char *name;
    struct role role;
    const char *paths; /* canonical text of the member that says which */
    bool terminating;
    const char *raw; /* instead of all that */
};

struct plain {
    const char *type;
    int version;
    int64_t expires;
    const char *meta; /* canonical text of the member that names files */
    const char *signers;
    const struct delegation *delegations;
    size_t delegation_count;
};

static inline void put_delegation(struct buf *buf, const struct delegation *delegation)
{
    if (delegation->raw) {
        buf_str(buf, delegation->raw);
        return;
    }
    buf_str(buf, "{\"keyids\":[");
    for (const char *id = delegation->role.ids; *id; id++)
        buf_printf(buf, "%s\"%c\"", id == delegation->role.ids ? "" : ",", *id);
    buf_printf(buf, "],\"name\":\"%s\",%s,\"terminating\":%s,\"threshold\":%d}", delegation->name, delegation->paths,
               delegation->terminating ? "true" : "false", delegation->role.threshold);
}

static inline void put_delegations(struct buf *buf, const struct plain *plain, bool canonical)
{
    buf_str(buf, "\"delegations\":{\"keys\":{");
    for (char id = 'a'; id < 'a' + KEYS; id++) {
        if (id > 'a')
            buf_byte(buf, ',');
        put_key(buf, id, canonical);
    }
    buf_str(buf, "},\"roles\":[");
    for (size_t i = 0; i < plain->delegation_count; i++) {
        if (i > 0)
            buf_byte(buf, ',');
        put_delegation(buf, &plain->delegations[i]);
    }
    buf_str(buf, "]},");
}

/* Roles without keys: canonical form and file differ in the order of members only. */
static inline struct buf make_plain(const struct plain *plain)
{
    const char *member = strcmp(plain->type, "targets") == 0 ? "targets" : "meta";
    struct buf canonical CLEANUP(buf_free) = BUF_INIT(FILE_MAX);
    struct buf file CLEANUP(buf_free) = BUF_INIT(FILE_MAX);
    char when[TIME_TEXT_BYTES];
    bool targets = member[0] == 't';

    time_format(plain->expires, when);
    buf_printf(&canonical, "{\"_type\":\"%s\",", plain->type);
    buf_byte(&file, '{');
    if (plain->delegation_count > 0) {
        put_delegations(&canonical, plain, true);
        put_delegations(&file, plain, false);
    }
    buf_printf(&canonical, "\"expires\":\"%s\",", when);
    if (!targets)
        buf_printf(&canonical, "\"meta\":%s,", plain->meta);
    buf_str(&canonical, "\"spec_version\":\"1.0.31\",");
    if (targets)
        buf_printf(&canonical, "\"targets\":%s,", plain->meta);
    buf_printf(&canonical, "\"version\":%d}", plain->version);
    buf_printf(&file,
               "\"version\": %d, \"%s\": %s, \"spec_version\": \"1.0.31\", \"expires\": \"%s\", \"_type\": \"%s\"}",
               plain->version, member, plain->meta, when, plain->type);
    return seal(buf_as_span(&canonical), buf_as_span(&file), plain->signers);
}

/* A mirror: names and bytes. */
struct repo {
    struct {
        char *name;
        struct buf bytes;
    } files[MAX_FILES];
    size_t count;
    size_t asked; /* files that were asked for and there */
    struct buf stored[TUF_ROLES];
    struct buf target;
};

static inline void repo_done(struct repo *repo)
{
    for (size_t i = 0; i < repo->count; i++) {
        mem_free(repo->files[i].name);
        buf_free(&repo->files[i].bytes);
    }
    for (size_t i = 0; i < TUF_ROLES; i++)
        buf_free(&repo->stored[i]);
    buf_free(&repo->target);
}

static inline struct buf *repo_find(struct repo *repo, const char *name)
{
    for (size_t i = 0; i < repo->count; i++)
        if (strcmp(repo->files[i].name, name) == 0)
            return &repo->files[i].bytes;
    return NULL;
}

/* Puts a file there, or puts another in its place. */
static inline void repo_put(struct repo *repo, const char *name, struct buf bytes)
{
    struct buf *there = repo_find(repo, name);

    if (!there) {
        ck_assert_uint_lt(repo->count, MAX_FILES);
        repo->files[repo->count].name = mem_strdup(name);
        there = &repo->files[repo->count++].bytes;
    }
    buf_free(there);
    *there = bytes;
}

static inline void repo_drop(struct repo *repo, const char *name)
{
    struct buf *there = repo_find(repo, name);
    size_t at = 0;

    ck_assert_ptr_nonnull(there);
    while (&repo->files[at].bytes != there)
        at++;
    buf_free(there);
    mem_free(repo->files[at].name);
    repo->count--;
    if (at < repo->count)
        repo->files[at] = repo->files[repo->count];
}

static inline void put_root_file(struct repo *repo, const struct root *root)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%d.root.json", root->version);
    repo_put(repo, name, make_root(root));
}

static inline void put_timestamp(struct repo *repo, int version, int64_t expires, const char *meta, const char *signers)
{
    repo_put(repo, "timestamp.json", make_plain(&(struct plain){"timestamp", version, expires, meta, signers}));
}

static inline void put_snapshot(struct repo *repo, const char *name, int version, int64_t expires, const char *meta,
                         const char *signers)
{
    repo_put(repo, name, make_plain(&(struct plain){"snapshot", version, expires, meta, signers}));
}

static inline void target_meta(const char *bytes, size_t length, char *ret, size_t size)
{
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];

    ck_assert(digest_compute(DIGEST_SHA256, span_str(bytes), &digest));
    (void)snprintf(ret, size, "{\"trusted_root.json\":{\"hashes\":{\"sha256\":\"%s\"},\"length\":%zu}}",
                   digest_hex(&digest, hex), length);
}

static inline void put_targets(struct repo *repo, const char *name, int version, int64_t expires, const char *meta,
                        const char *signers)
{
    repo_put(repo, name, make_plain(&(struct plain){"targets", version, expires, meta, signers}));
}

static inline const char *target_file(void)
{
    static char name[TUF_NAME_BYTES];
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];

    ck_assert(digest_compute(DIGEST_SHA256, span_str(TARGET_BYTES), &digest));
    (void)snprintf(name, sizeof(name), "targets/%s.trusted_root.json", digest_hex(&digest, hex));
    return name;
}

static inline struct buf text_of(const char *text)
{
    struct buf buf = BUF_INIT(FILE_MAX);

    buf_str(&buf, text);
    return buf;
}

#define SNAPSHOT_META(v) "{\"snapshot.json\":{\"version\":" #v "}}"
#define TARGETS_META(v) "{\"targets.json\":{\"version\":" #v "}}"

/* Version 1 of everything; the client has root 1. */
static inline void repo_start(struct repo *repo)
{
    char meta[512];

    make_keys();
    *repo = (struct repo){.count = 0};
    repo->stored[TUF_ROOT] = make_root(&ROOT1);
    put_timestamp(repo, 1, NOW + DAY, SNAPSHOT_META(1), "f");
    put_snapshot(repo, "1.snapshot.json", 1, NOW + DAY, TARGETS_META(1), "d");
    target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
    put_targets(repo, "1.targets.json", 1, NOW + DAY, meta, "e");
    repo_put(repo, target_file(), text_of(TARGET_BYTES));
}

/* Keeps what the client says, as a program would. */
static inline void store(struct repo *repo, const struct tuf *tuf)
{
    for (size_t role = 0; role < TUF_ROLES; role++) {
        struct buf copy = BUF_INIT(FILE_MAX);

        buf_span(&copy, tuf_state(tuf, (enum tuf_role)role));
        buf_free(&repo->stored[role]);
        repo->stored[role] = copy;
    }
    if (tuf_finished(tuf)) {
        struct buf copy = BUF_INIT(FILE_MAX);

        buf_span(&copy, tuf_target(tuf, 0));
        buf_free(&repo->target);
        repo->target = copy;
    }
}

static inline enum reason loop(struct repo *repo, struct tuf *tuf, struct error *err)
{
    struct tuf_request request;

    for (int i = 0; tuf_wants(tuf, &request); i++) {
        struct buf *file = repo_find(repo, request.name);

        ck_assert_int_lt(i, 300);
        ck_assert_uint_gt(request.max_bytes, 0);
        if (file)
            repo->asked++;
        if (file ? !tuf_give(tuf, buf_as_span(file), err) : !tuf_absent(tuf, err)) {
            ck_assert(!tuf_wants(tuf, &request) && !tuf_finished(tuf));
            ck_assert(!tuf_give(tuf, span_str("{}"), &(struct error)ERROR_INIT));
            return err->reason;
        }
    }
    ck_assert(tuf_finished(tuf));
    ck_assert(span_eq_str(tuf_target(tuf, 0), TARGET_BYTES));
    return REASON_OK;
}

/* One update; what it says stays stored. */
static inline enum reason update(struct repo *repo, int64_t now)
{
    struct tuf_stored stored = {.targets = &(struct span){repo->target.ptr, repo->target.len}};
    struct tuf *tuf CLEANUP(tuf_freep) = NULL;
    struct error err = ERROR_INIT;
    enum reason reason;

    for (size_t role = 0; role < TUF_ROLES; role++)
        stored.roles[role] = buf_as_span(&repo->stored[role]);
    repo->asked = 0;
    if (!tuf_new(&stored, &TARGET, 1, now, &tuf, &err))
        return err.reason;
    reason = loop(repo, tuf, &err);
    if (secure_getenv("PG_VERBOSE") && reason != REASON_OK)
        printf("%s: %s\n", reason_name(reason), err.text);
    ck_assert(reason == REASON_OK || tuf_target(tuf, 0).len == 0);
    store(repo, tuf);
    return reason;
}

#endif
