/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TUF client against repositories that are made here, and the attacks of the specification (section 1.5.2):
 * arbitrary software, rollback, freeze, mix and match, endless data, fast-forward, too few or revoked keys.
 */
#include "verifier/tuf.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/privkey.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

enum { NOW = 1795451667, DAY = 86400, MAX_FILES = 24, NAME_MAX_BYTES = 160, KEYS = 8, FILE_MAX = 64 * 1024 };

static const char *const TARGET = "trusted_root.json";
static const char TARGET_BYTES[] = "{\"mediaType\":\"test\"}\n";

/* Eight keys for all repositories, made once; their ids are letters, so that their order is known. */
static struct privkey *keys[KEYS];

static void make_keys(void)
{
    struct buf pem CLEANUP(buf_free) = vector_read("crypto/keys/private-ed25519.pem");
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < KEYS - 1; i++)
        ck_assert(keys[i] || privkey_generate(&keys[i], &err));
    ck_assert(keys[KEYS - 1] || privkey_parse_pem(buf_as_span(&pem), &keys[KEYS - 1], &err));
}

static void free_keys(void)
{
    for (size_t i = 0; i < KEYS; i++)
        privkey_freep(&keys[i]);
}

/* Text of a key in JSON: as signed (line feeds as they are) or as in a file (escaped, and with a space after each
 * colon). */
static void put_key(struct buf *buf, char id, bool canonical)
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

static void put_role(struct buf *buf, const char *name, const struct role *role, bool last)
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

static void put_root(struct buf *buf, const struct root *root, bool canonical)
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
static struct buf seal(struct span canonical, struct span file, const char *signers)
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

static struct buf make_root(const struct root *root)
{
    struct buf canonical CLEANUP(buf_free) = BUF_INIT(FILE_MAX);
    struct buf file CLEANUP(buf_free) = BUF_INIT(FILE_MAX);

    put_root(&canonical, root, true);
    put_root(&file, root, false);
    return seal(buf_as_span(&canonical), buf_as_span(&file), root->signers);
}

struct plain {
    const char *type;
    int version;
    int64_t expires;
    const char *meta; /* canonical text of the member that names files */
    const char *signers;
};

/* Roles without keys: canonical form and file differ in the order of members only. */
static struct buf make_plain(const struct plain *plain)
{
    const char *member = strcmp(plain->type, "targets") == 0 ? "targets" : "meta";
    struct buf canonical CLEANUP(buf_free) = BUF_INIT(FILE_MAX);
    struct buf file CLEANUP(buf_free) = BUF_INIT(FILE_MAX);
    char when[TIME_TEXT_BYTES];
    bool targets = member[0] == 't';

    time_format(plain->expires, when);
    buf_printf(&canonical, "{\"_type\":\"%s\",\"expires\":\"%s\",", plain->type, when);
    if (!targets)
        buf_printf(&canonical, "\"meta\":%s,", plain->meta);
    buf_str(&canonical, "\"spec_version\":\"1.0.31\",");
    if (targets)
        buf_printf(&canonical, "\"targets\":%s,", plain->meta);
    buf_printf(&canonical, "\"version\":%d}", plain->version);
    buf_printf(&file,
               "{\"version\": %d, \"%s\": %s, \"spec_version\": \"1.0.31\", \"expires\": \"%s\", \"_type\": \"%s\"}",
               plain->version, member, plain->meta, when, plain->type);
    return seal(buf_as_span(&canonical), buf_as_span(&file), plain->signers);
}

/* A mirror: names and bytes. */
struct repo {
    struct {
        char name[NAME_MAX_BYTES];
        struct buf bytes;
    } files[MAX_FILES];
    size_t count;
    size_t asked; /* files that were asked for and there */
    struct buf stored[TUF_ROLES];
    struct buf target;
};

static void repo_done(struct repo *repo)
{
    for (size_t i = 0; i < repo->count; i++)
        buf_free(&repo->files[i].bytes);
    for (size_t i = 0; i < TUF_ROLES; i++)
        buf_free(&repo->stored[i]);
    buf_free(&repo->target);
}

static struct buf *repo_find(struct repo *repo, const char *name)
{
    for (size_t i = 0; i < repo->count; i++)
        if (strcmp(repo->files[i].name, name) == 0)
            return &repo->files[i].bytes;
    return NULL;
}

/* Puts a file there, or puts another in its place. */
static void repo_put(struct repo *repo, const char *name, struct buf bytes)
{
    struct buf *there = repo_find(repo, name);

    if (!there) {
        ck_assert_uint_lt(repo->count, MAX_FILES);
        (void)snprintf(repo->files[repo->count].name, NAME_MAX_BYTES, "%s", name);
        there = &repo->files[repo->count++].bytes;
    }
    buf_free(there);
    *there = bytes;
}

static void repo_drop(struct repo *repo, const char *name)
{
    struct buf *there = repo_find(repo, name);
    size_t at = 0;

    ck_assert_ptr_nonnull(there);
    while (&repo->files[at].bytes != there)
        at++;
    buf_free(there);
    repo->count--;
    if (at < repo->count)
        repo->files[at] = repo->files[repo->count];
}

static void put_root_file(struct repo *repo, const struct root *root)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%d.root.json", root->version);
    repo_put(repo, name, make_root(root));
}

static void put_timestamp(struct repo *repo, int version, int64_t expires, const char *meta, const char *signers)
{
    repo_put(repo, "timestamp.json", make_plain(&(struct plain){"timestamp", version, expires, meta, signers}));
}

static void put_snapshot(struct repo *repo, const char *name, int version, int64_t expires, const char *meta,
                         const char *signers)
{
    repo_put(repo, name, make_plain(&(struct plain){"snapshot", version, expires, meta, signers}));
}

static void target_meta(const char *bytes, size_t length, char *ret, size_t size)
{
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];

    ck_assert(digest_compute(DIGEST_SHA256, span_str(bytes), &digest));
    (void)snprintf(ret, size, "{\"trusted_root.json\":{\"hashes\":{\"sha256\":\"%s\"},\"length\":%zu}}",
                   digest_hex(&digest, hex), length);
}

static void put_targets(struct repo *repo, const char *name, int version, int64_t expires, const char *meta,
                        const char *signers)
{
    repo_put(repo, name, make_plain(&(struct plain){"targets", version, expires, meta, signers}));
}

static const char *target_file(void)
{
    static char name[TUF_NAME_BYTES];
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];

    ck_assert(digest_compute(DIGEST_SHA256, span_str(TARGET_BYTES), &digest));
    (void)snprintf(name, sizeof(name), "targets/%s.trusted_root.json", digest_hex(&digest, hex));
    return name;
}

static struct buf text_of(const char *text)
{
    struct buf buf = BUF_INIT(FILE_MAX);

    buf_str(&buf, text);
    return buf;
}

#define SNAPSHOT_META(v) "{\"snapshot.json\":{\"version\":" #v "}}"
#define TARGETS_META(v) "{\"targets.json\":{\"version\":" #v "}}"

/* Version 1 of everything; the client has root 1. */
static void repo_start(struct repo *repo)
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
static void store(struct repo *repo, const struct tuf *tuf)
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

static enum reason loop(struct repo *repo, struct tuf *tuf, struct error *err)
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
static enum reason update(struct repo *repo, int64_t now)
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

START_TEST(first_and_later)
{
    struct repo repo CLEANUP(repo_done);

    repo_start(&repo);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 4); /* timestamp, snapshot, targets, the target */
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 1); /* the timestamp says that nothing is new */
    buf_clear(&repo.target);
    buf_str(&repo.target, "damaged");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 2);
    put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(2), "f");
    put_snapshot(&repo, "2.snapshot.json", 2, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 2); /* the targets are the same */
}
END_TEST

/* Roots: name, what it is like, what an update ends in. */
static const struct {
    const char *what;
    struct root next;
    enum reason reason;
} root_cases[] = {
    {"same keys", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "ab"}, REASON_OK},
    {"others of the same keys, two empty", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "AbcC"}, REASON_OK},
    {"one signature", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "a"}, REASON_THRESHOLD},
    {"one key twice", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "aa"}, REASON_THRESHOLD},
    {"no signature", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, ""}, REASON_THRESHOLD},
    {"foreign keys", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "de"}, REASON_THRESHOLD},
    {"new keys, by both", {2, NOW + DAY, {"gh", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "abgh"}, REASON_OK},
    {"new keys, by the old alone", {2, NOW + DAY, {"gh", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "abc"}, REASON_THRESHOLD},
    {"new keys, by themselves alone", {2, NOW + DAY, {"gh", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "gh"}, REASON_THRESHOLD},
    {"threshold of none", {2, NOW + DAY, {"abc", 0}, {"d", 1}, {"e", 1}, {"f", 1}, "ab"}, REASON_MALFORMED},
    {"expired", {2, NOW, {"abc", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "ab"}, REASON_EXPIRED},
    {"timestamp key revoked", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"g", 1}, "ab"}, REASON_THRESHOLD},
    {"snapshot key revoked", {2, NOW + DAY, {"abc", 2}, {"g", 1}, {"e", 1}, {"f", 1}, "ab"}, REASON_THRESHOLD},
    {"targets key revoked", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"g", 1}, {"f", 1}, "ab"}, REASON_THRESHOLD},
    {"timestamp by two", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"fg", 2}, "ab"}, REASON_THRESHOLD},
    {"timestamp by one of two", {2, NOW + DAY, {"abc", 2}, {"d", 1}, {"e", 1}, {"fg", 1}, "ab"}, REASON_OK},
    {"key id unknown", {2, NOW + DAY, {"abcz", 2}, {"d", 1}, {"e", 1}, {"f", 1}, "ab"}, REASON_OK},
};

START_TEST(roots)
{
    struct repo fresh CLEANUP(repo_done);
    struct repo later CLEANUP(repo_done);

    repo_start(&fresh);
    put_root_file(&fresh, &root_cases[_i].next);
    ck_assert_msg(update(&fresh, NOW) == root_cases[_i].reason, "%s", root_cases[_i].what);
    /* the same for a client that has everything of version 1: nothing stored outlives the keys that signed it */
    repo_start(&later);
    ck_assert_int_eq(update(&later, NOW), REASON_OK);
    put_root_file(&later, &root_cases[_i].next);
    ck_assert_msg(update(&later, NOW) == root_cases[_i].reason, "later: %s", root_cases[_i].what);
}
END_TEST

START_TEST(root_chain)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;

    repo_start(&repo);
    for (root.version = 2; root.version <= 6; root.version++) {
        root.expires = root.version < 6 ? NOW - 1000 * DAY : NOW + DAY; /* only the last one's expiry counts */
        put_root_file(&repo, &root);
    }
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    repo_drop(&repo, "6.root.json"); /* stored: nobody takes the client back */
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    root.version = 8; /* served as number 7 */
    repo_put(&repo, "7.root.json", make_root(&root));
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN);
    root.version = 6;
    repo_put(&repo, "7.root.json", make_root(&root));
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN);
    /* a missing version ends the chain: root 8 is not looked for, and root 6 is in force */
    repo_drop(&repo, "7.root.json");
    root.version = 8;
    put_root_file(&repo, &root);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_int_eq(update(&repo, NOW + 2 * DAY), REASON_EXPIRED);
}
END_TEST

/* Two ids for one key, and a threshold of two: one signer is one signer. */
START_TEST(same_key_twice)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;
    struct buf *file;
    struct privkey *kept;

    repo_start(&repo);
    kept = keys[6];
    keys[6] = keys[5]; /* g is f */
    root.version = 2;
    root.timestamp = (struct role){"fg", 2};
    put_root_file(&repo, &root);
    put_timestamp(&repo, 1, NOW + DAY, SNAPSHOT_META(1), "fg");
    keys[6] = kept;
    file = repo_find(&repo, "2.root.json");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(update(&repo, NOW), REASON_THRESHOLD);
}
END_TEST

START_TEST(other_key_types)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;

    repo_start(&repo);
    root.version = 2;
    root.timestamp = (struct role){"h", 1}; /* Ed25519 */
    put_root_file(&repo, &root);
    ck_assert_int_eq(update(&repo, NOW), REASON_THRESHOLD);
    put_timestamp(&repo, 1, NOW + DAY, SNAPSHOT_META(1), "h");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

START_TEST(timestamps)
{
    struct repo repo CLEANUP(repo_done);
    static char large[20000];

    repo_start(&repo);
    put_timestamp(&repo, 5, NOW + DAY, SNAPSHOT_META(1), "d"); /* the snapshot's key */
    ck_assert_int_eq(update(&repo, NOW), REASON_THRESHOLD);
    put_timestamp(&repo, 5, NOW, SNAPSHOT_META(1), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_EXPIRED); /* freeze; and it is remembered */
    put_timestamp(&repo, 4, NOW + DAY, SNAPSHOT_META(1), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* rollback */
    put_timestamp(&repo, 6, NOW + DAY, SNAPSHOT_META(1), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 7, NOW + DAY, "{\"snapshot.json\":{\"version\":0}}", "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
    put_timestamp(&repo, 7, NOW + DAY, "{}", "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
    memset(large, ' ', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    repo_put(&repo, "timestamp.json", text_of(large)); /* endless data */
    ck_assert_int_eq(update(&repo, NOW), REASON_LIMIT);
    repo_put(&repo, "timestamp.json", text_of("not json"));
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
    put_snapshot(&repo, "timestamp.json", 9, NOW + DAY, SNAPSHOT_META(1),
                 "f"); /* another role's metadata, the right key */
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
    repo_drop(&repo, "timestamp.json");
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
}
END_TEST

START_TEST(snapshots)
{
    struct repo repo CLEANUP(repo_done);

    repo_start(&repo);
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY, TARGETS_META(1), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_THRESHOLD);
    put_snapshot(&repo, "1.snapshot.json", 2, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* mix and match */
    put_snapshot(&repo, "1.snapshot.json", 1, NOW, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_EXPIRED);
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(2), "f");
    put_snapshot(&repo, "2.snapshot.json", 2, NOW + DAY,
                 "{\"other.json\":{\"version\":1},\"targets.json\":{\"version\":3}}", "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND); /* there is no 3.targets.json */
    put_timestamp(&repo, 3, NOW + DAY, SNAPSHOT_META(3), "f");
    put_snapshot(&repo, "3.snapshot.json", 3, NOW + DAY, TARGETS_META(3), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* other.json has gone */
    put_snapshot(&repo, "3.snapshot.json", 3, NOW + DAY,
                 "{\"other.json\":{\"version\":1},\"targets.json\":{\"version\":2}}", "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* targets go back */
    put_timestamp(&repo, 4, NOW + DAY, SNAPSHOT_META(2), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* the snapshot goes back */
    repo_drop(&repo, "3.snapshot.json");
    put_timestamp(&repo, 5, NOW + DAY, SNAPSHOT_META(3), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
}
END_TEST

/* Where length and hashes are stated, they are held to. */
START_TEST(stated_hashes)
{
    struct repo repo CLEANUP(repo_done);
    struct buf *snapshot;
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];
    char meta[512];

    repo_start(&repo);
    snapshot = repo_find(&repo, "1.snapshot.json");
    ck_assert(digest_compute(DIGEST_SHA512, buf_as_span(snapshot), &digest));
    (void)snprintf(meta, sizeof(meta),
                   "{\"snapshot.json\":{\"hashes\":{\"sha512\":\"%s\"},\"length\":%zu,\"version\":1}}",
                   digest_hex(&digest, hex), snapshot->len);
    put_timestamp(&repo, 1, NOW + DAY, meta, "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    hex[0] = hex[0] == '0' ? '1' : '0';
    (void)snprintf(meta, sizeof(meta),
                   "{\"snapshot.json\":{\"hashes\":{\"sha512\":\"%s\"},\"length\":%zu,\"version\":1}}", hex,
                   snapshot->len);
    put_timestamp(&repo, 2, NOW + DAY, meta, "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_DIGEST_MISMATCH);
    (void)snprintf(meta, sizeof(meta), "{\"snapshot.json\":{\"length\":%zu,\"version\":1}}", snapshot->len - 1);
    put_timestamp(&repo, 3, NOW + DAY, meta, "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_LIMIT);
    (void)snprintf(meta, sizeof(meta), "{\"snapshot.json\":{\"length\":%zu,\"version\":1}}", snapshot->len + 1);
    put_timestamp(&repo, 4, NOW + DAY, meta, "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_DIGEST_MISMATCH);
    put_timestamp(&repo, 5, NOW + DAY, "{\"snapshot.json\":{\"hashes\":{\"md5\":\"00\"},\"version\":1}}", "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNSUPPORTED);
}
END_TEST

START_TEST(targets_role)
{
    struct repo repo CLEANUP(repo_done);
    char meta[512];

    repo_start(&repo);
    target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
    put_targets(&repo, "1.targets.json", 1, NOW + DAY, meta, "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_THRESHOLD);
    put_targets(&repo, "1.targets.json", 2, NOW + DAY, meta, "e");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN);
    put_targets(&repo, "1.targets.json", 1, NOW, meta, "e");
    ck_assert_int_eq(update(&repo, NOW), REASON_EXPIRED);
    put_targets(&repo, "1.targets.json", 1, NOW + DAY, "{}", "e");
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
}
END_TEST

static const struct {
    const char *meta;
    enum reason reason;
} target_metas[] = {
    {"{\"trusted_root.json\":{\"length\":21}}", REASON_MALFORMED},
    {"{\"trusted_root.json\":{\"hashes\":{\"sha256\":\"00\"}}}", REASON_MALFORMED},
    {"{\"trusted_root.json\":{\"hashes\":{\"sha256\":\"../../../../etc/passwd\"},\"length\":21}}", REASON_MALFORMED},
    {"{\"trusted_root.json\":{\"hashes\":{\"sha256\":7},\"length\":21}}", REASON_MALFORMED},
    {"{\"trusted_root.json\":{\"hashes\":{},\"length\":21}}", REASON_UNSUPPORTED},
    {"{\"trusted_root.json\":{\"hashes\":{\"md5\":\"00\"},\"length\":21}}", REASON_UNSUPPORTED},
    {"{\"trusted_root.json\":{\"hashes\":{\"sha256\":\"00\"},\"length\":-1}}", REASON_MALFORMED},
    {"{\"trusted_root.json\":{\"hashes\":{\"sha256\":\"00\"},\"length\":99999999}}", REASON_LIMIT},
    {"{\"trusted_root.json\":7}", REASON_NOT_FOUND},
};

START_TEST(target_entries)
{
    struct repo repo CLEANUP(repo_done);

    repo_start(&repo);
    put_targets(&repo, "1.targets.json", 1, NOW + DAY, target_metas[_i].meta, "e");
    ck_assert_msg(update(&repo, NOW) == target_metas[_i].reason, "%s", target_metas[_i].meta);
}
END_TEST

START_TEST(target_bytes)
{
    struct repo repo CLEANUP(repo_done);

    repo_start(&repo);
    repo_put(&repo, target_file(), text_of("{\"mediaType\":\"tess\"}\n")); /* arbitrary software */
    ck_assert_int_eq(update(&repo, NOW), REASON_DIGEST_MISMATCH);
    repo_put(&repo, target_file(), text_of("{\"mediaType\":\"test\"}"));
    ck_assert_int_eq(update(&repo, NOW), REASON_DIGEST_MISMATCH);
    repo_put(&repo, target_file(), text_of("{\"mediaType\":\"test\"}\n\n"));
    ck_assert_int_eq(update(&repo, NOW), REASON_LIMIT);
    repo_drop(&repo, target_file());
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
    repo_put(&repo, target_file(), text_of(TARGET_BYTES));
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

/* A thief of the timestamp and snapshot keys takes versions far forward; new keys bring the repository back. */
START_TEST(fast_forward)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;

    repo_start(&repo);
    put_timestamp(&repo, 100000, NOW + DAY, SNAPSHOT_META(100000), "f");
    put_snapshot(&repo, "100000.snapshot.json", 100000, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(1), "g");
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY, TARGETS_META(1), "g");
    root.version = 2;
    root.timestamp = root.snapshot = (struct role){"g", 1};
    ck_assert_int_eq(update(&repo, NOW), REASON_THRESHOLD);
    put_root_file(&repo, &root);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

/* The same where the old key stays beside the new one: its files still verify, and are forgotten all the same. */
START_TEST(fast_forward_key_added)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;

    repo_start(&repo);
    put_timestamp(&repo, 100000, NOW + DAY, SNAPSHOT_META(1), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(1), "g");
    root.version = 2;
    root.timestamp = (struct role){"fg", 1};
    put_root_file(&repo, &root);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

/* No bit of any metadata or of the target can be flipped, and no file can be cut. */
START_TEST(damaged_files)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;

    repo_start(&repo);
    root.version = 2;
    root.signers = "ab";
    put_root_file(&repo, &root);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    for (size_t file = 0; file < repo.count; file++) {
        struct buf *bytes = &repo.files[file].bytes;
        size_t step = bytes->len > 2000 ? 29 : 3;

        for (size_t i = 0; i < bytes->len * 2; i += step) {
            bool cut = i >= bytes->len;
            size_t len = bytes->len;

            for (size_t role = TUF_TIMESTAMP; role < TUF_ROLES; role++)
                buf_clear(&repo.stored[role]);
            buf_clear(&repo.stored[TUF_ROOT]);
            buf_clear(&repo.target);
            buf_free(&repo.stored[TUF_ROOT]);
            repo.stored[TUF_ROOT] = make_root(&ROOT1);
            if (cut)
                bytes->len = i - len;
            else
                bytes->ptr[i] ^= (uint8_t)(1u << i % 7);
            if (update(&repo, NOW) == REASON_OK) {
                /* white space between JSON's parts is signed by nobody; and where only a letter's case of an escape
                 * changes */
                struct span around = span_cut(buf_as_span(bytes), i > 0 ? i - 1 : 0, 3);

                ck_assert_msg(!cut && (bytes->ptr[i] == ' ' || bytes->ptr[i] == '\n' || bytes->ptr[i] == '\t' ||
                                       bytes->ptr[i] == '\r'),
                              "%s byte %zu: %.*s", repo.files[file].name, i, (int)around.len, (const char *)around.ptr);
            }
            if (cut)
                bytes->len = len;
            else
                bytes->ptr[i] ^= (uint8_t)(1u << i % 7);
        }
    }
}
END_TEST

START_TEST(misuse)
{
    struct repo repo CLEANUP(repo_done);
    struct tuf *tuf = NULL;
    struct error err = ERROR_INIT;
    static const char *const bad_names[] = {"", "/x", "x/", "a/../b", "a b", "a%2e", "x?y", "a//b"};
    struct tuf_stored stored = {.targets = NULL};

    ck_assert(!tuf_new(&stored, &TARGET, 1, NOW, &tuf, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    repo_start(&repo);
    stored.roles[TUF_ROOT] = buf_as_span(&repo.stored[TUF_ROOT]);
    for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
        ck_assert_msg(!tuf_new(&stored, &bad_names[i], 1, NOW, &tuf, &err), "%s", bad_names[i]);
        ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
    }
    ck_assert(!tuf_new(&stored, &TARGET, TUF_MAX_TARGETS + 1, NOW, &tuf, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    repo.stored[TUF_ROOT].ptr[repo.stored[TUF_ROOT].len - 20] ^= 1; /* a root that does not sign itself */
    ck_assert(!tuf_new(&stored, &TARGET, 1, NOW, &tuf, &err));
    ck_assert_int_eq(err.reason, REASON_THRESHOLD);
    ck_assert_ptr_null(tuf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_tuf");
    TCase *cases = tcase_create("tuf");
    int status;

    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, first_and_later);
    tcase_add_loop_test(cases, roots, 0, ARRAY_LEN(root_cases));
    tcase_add_test(cases, root_chain);
    tcase_add_test(cases, same_key_twice);
    tcase_add_test(cases, other_key_types);
    tcase_add_test(cases, timestamps);
    tcase_add_test(cases, snapshots);
    tcase_add_test(cases, stated_hashes);
    tcase_add_test(cases, targets_role);
    tcase_add_loop_test(cases, target_entries, 0, ARRAY_LEN(target_metas));
    tcase_add_test(cases, target_bytes);
    tcase_add_test(cases, fast_forward);
    tcase_add_test(cases, fast_forward_key_added);
    tcase_add_test(cases, damaged_files);
    tcase_add_test(cases, misuse);
    suite_add_tcase(suite, cases);
    status = run_suite(suite);
    free_keys();
    return status;
}
