/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TUF client against repositories that are made here. Each attack of the specification's client work-flow (section
 * 5; the goals are in 1.5.2) and where it is made:
 *
 *   attack                              step            test (this file, unless D: ..._delegations.c,
 *                                                       P: ..._public_good.c, C: tests/cli/test_trust.py)
 *   arbitrary software, root            5.3.4           roots, damaged_files; P broken_link; C test_root_by_strangers
 *   arbitrary software, other roles     5.4.2 5.5.3     timestamps, snapshots, targets_role; D attacked;
 *                                       5.6.3           C test_wrong_signers
 *   arbitrary software, the target      5.7.3           target_bytes; C test_wrong_content
 *   too few keys, one key twice         all of these    roots, threshold_of_two, same_key_twice; D thresholds
 *   a revoked key                       5.3.4           roots ("... key revoked")
 *   rollback of root                    5.3.5           root_chain; P broken_link, missing_link
 *   rollback of timestamp               5.4.3.1         timestamps; C test_rollback
 *   rollback of snapshot                5.4.3.2         snapshots
 *   rollback of targets, delegated ones 5.5.5           snapshots; D named_by_the_snapshot
 *   a role left out of the snapshot     5.5.5           snapshots; D named_by_the_snapshot, not_in_the_snapshot
 *   freeze: expired root                5.3.10          roots, root_chain; P frozen_at; C test_public_good_expires
 *   freeze: expired timestamp           5.4.4           timestamps, replayed_timestamp; C test_freeze
 *   freeze: expired snapshot, targets   5.5.6 5.6.5     snapshots, targets_role; D attacked
 *   mix and match                       5.5.4 5.6.4     snapshots, targets_role; D named_by_the_snapshot
 *   wrong hash, wrong length            5.5.2 5.6.2     stated_hashes, target_bytes; D stated_length_and_hash
 *   another content, the same version   5.4.3.1         replayed_timestamp
 *   endless data                        5.3.3 5.4.1 ... endless_data, timestamps; D stated_length_and_hash;
 *                                                       P broken_link; C test_endless_data
 *   endless roots                       5.3.3           endless_roots
 *   slow retrieval                      (transport)     C test_slow_retrieval; tests/fetch/faults, byte-a-second
 *   fast-forward, and recovery          5.3.11          fast_forward, fast_forward_key_added, fast_forward_targets
 *   one role's file for another's       5.4 to 5.6      timestamps; D other_files
 *   delegations: cycle, too many, ...   5.6.7           D cycle, too_many, paths_on_the_way, terminating
 *   recovery after a failed update      5, note         every row of attacks_leave_no_trace
 *
 * Not here, because they are not of one client and one repository: malicious mirrors that keep updates away (doctor and
 * "trust show" tell the age), and dependencies.
 */
#include "tests/unit/tuf_repo.h"

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

/* Thresholds of two for the roles below root; one key's signature twice is one signer, under one id or under two. */
START_TEST(threshold_of_two)
{
    static const struct {
        struct role role;
        const char *signers;
        enum reason reason;
    } cases[] = {
        {{"ah", 2}, "ah", REASON_OK},        {{"ah", 2}, "aAhH", REASON_OK},      {{"ah", 2}, "aa", REASON_THRESHOLD},
        {{"ah", 2}, "a", REASON_THRESHOLD},  {{"ah", 2}, "aH", REASON_THRESHOLD}, {{"aa", 2}, "aa", REASON_THRESHOLD},
        {{"ah", 2}, "ab", REASON_THRESHOLD}, {{"ahb", 3}, "ah", REASON_THRESHOLD}, {{"ahb", 3}, "bah", REASON_OK},
    };
    const char *roles[] = {"timestamp", "snapshot", "targets"};

    for (size_t i = 0; i < ARRAY_LEN(roles) * ARRAY_LEN(cases); i++) {
        const char *role = roles[i % ARRAY_LEN(roles)];
        const struct role *wanted = &cases[i / ARRAY_LEN(roles)].role;
        const char *signers = cases[i / ARRAY_LEN(roles)].signers;
        struct repo repo CLEANUP(repo_done);
        struct root root = ROOT1;
        char meta[512];

        repo_start(&repo);
        root.version = 2;
        *(role[0] == 's' ? &root.snapshot : role[1] == 'i' ? &root.timestamp : &root.targets) = *wanted;
        put_root_file(&repo, &root);
        target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
        if (role[0] == 's')
            put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY, TARGETS_META(1), signers);
        else if (role[1] == 'i')
            put_timestamp(&repo, 1, NOW + DAY, SNAPSHOT_META(1), signers);
        else
            put_targets(&repo, "1.targets.json", 1, NOW + DAY, meta, signers);
        ck_assert_msg(update(&repo, NOW) == cases[i / ARRAY_LEN(roles)].reason, "%s by %s", role, signers);
    }
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

/* The same version again is normal, but it ages; and another content of that version is not taken. */
START_TEST(replayed_timestamp)
{
    struct repo repo CLEANUP(repo_done);

    repo_start(&repo);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 1, NOW + 9 * DAY, SNAPSHOT_META(7), "f");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 1); /* no 7.snapshot.json */
    ck_assert_int_eq(update(&repo, NOW + DAY - 1), REASON_OK);
    ck_assert_int_eq(update(&repo, NOW + DAY), REASON_EXPIRED);
}
END_TEST

static struct buf spaces(size_t count)
{
    struct buf made = BUF_INIT(VECTOR_MAX_BYTES);
    uint8_t *place = buf_reserve(&made, count);

    ck_assert_ptr_nonnull(place);
    memset(place, ' ', count);
    return made;
}

/* Each file has its most bytes, also where nobody stated them; to the byte: one less is read, and is no JSON. */
START_TEST(endless_data)
{
    static const struct {
        const char *name;
        size_t max;
    } files[] = {{"2.root.json", 512000}, {"timestamp.json", 16384}, {"1.snapshot.json", 2000000},
                 {"1.targets.json", 5000000}};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct repo repo CLEANUP(repo_done);

        repo_start(&repo);
        repo_put(&repo, files[i].name, spaces(files[i].max + 1));
        ck_assert_msg(update(&repo, NOW) == REASON_LIMIT, "%s", files[i].name);
        repo_put(&repo, files[i].name, spaces(files[i].max));
        ck_assert_msg(update(&repo, NOW) == REASON_MALFORMED, "%s", files[i].name);
    }
}
END_TEST

/* A repository that never runs out of roots does not keep the client for ever; what it has verified stays. */
START_TEST(endless_roots)
{
    struct repo repo CLEANUP(repo_done);
    struct tuf_stored stored = {.targets = NULL};
    struct tuf *tuf CLEANUP(tuf_freep) = NULL;
    struct error err = ERROR_INIT;
    struct root root = ROOT1;
    bool good = true;

    repo_start(&repo);
    stored.roles[TUF_ROOT] = buf_as_span(&repo.stored[TUF_ROOT]);
    ck_assert(tuf_new(&stored, &TARGET, 1, NOW, &tuf, &err));
    for (root.version = 2; good && root.version < 400; root.version++) {
        struct buf file CLEANUP(buf_free) = make_root(&root);

        good = tuf_give(tuf, buf_as_span(&file), &err);
    }
    ck_assert(!good);
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    ck_assert_int_eq(root.version - 1, 258); /* 256 new ones, and the one that is too many */
    ck_assert_int_eq(tuf_version(tuf, TUF_ROOT), 258);
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
    {"{\"trusted_root.json\":7}", REASON_MALFORMED},
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

/* The targets' version taken far forward, with all three online keys: new snapshot keys bring it back. */
START_TEST(fast_forward_targets)
{
    struct repo repo CLEANUP(repo_done);
    struct root root = ROOT1;
    char meta[512];

    repo_start(&repo);
    target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
    put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(2), "f");
    put_snapshot(&repo, "2.snapshot.json", 2, NOW + DAY, TARGETS_META(100000), "d");
    put_targets(&repo, "100000.targets.json", 100000, NOW + DAY, meta, "e");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 3, NOW + DAY, SNAPSHOT_META(3), "f");
    put_snapshot(&repo, "3.snapshot.json", 3, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN);
    root.version = 2;
    root.snapshot = (struct role){"g", 1};
    put_root_file(&repo, &root);
    put_snapshot(&repo, "3.snapshot.json", 3, NOW + DAY, TARGETS_META(1), "g");
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 4); /* the root, timestamp, snapshot, and version 1 of targets */
}
END_TEST

/* Section 5, first note: after any failed update a good repository brings the client on again. */
START_TEST(attacks_leave_no_trace)
{
    static const char *const files[] = {"timestamp.json", "2.snapshot.json", "2.targets.json"};
    static const char *const damage[] = {"", "{}", "not JSON", "{\"signatures\":[],\"signed\":{}}"};

    for (size_t i = 0; i < ARRAY_LEN(files) * ARRAY_LEN(damage); i++) {
        struct repo repo CLEANUP(repo_done);
        char meta[512];

        repo_start(&repo);
        ck_assert_int_eq(update(&repo, NOW), REASON_OK);
        for (int round = 0; round < 2; round++) {
            target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
            put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(2), "f");
            put_snapshot(&repo, "2.snapshot.json", 2, NOW + DAY, TARGETS_META(2), "d");
            put_targets(&repo, "2.targets.json", 2, NOW + DAY, meta, "e");
            if (round == 0)
                repo_put(&repo, files[i % ARRAY_LEN(files)], text_of(damage[i / ARRAY_LEN(files)]));
            ck_assert_int_eq(update(&repo, NOW), (round == 0 ? REASON_MALFORMED : REASON_OK));
        }
    }
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
    tcase_add_test(cases, threshold_of_two);
    tcase_add_test(cases, other_key_types);
    tcase_add_test(cases, timestamps);
    tcase_add_test(cases, replayed_timestamp);
    tcase_add_test(cases, endless_data);
    tcase_add_test(cases, endless_roots);
    tcase_add_test(cases, snapshots);
    tcase_add_test(cases, stated_hashes);
    tcase_add_test(cases, targets_role);
    tcase_add_loop_test(cases, target_entries, 0, ARRAY_LEN(target_metas));
    tcase_add_test(cases, target_bytes);
    tcase_add_test(cases, fast_forward);
    tcase_add_test(cases, fast_forward_key_added);
    tcase_add_test(cases, fast_forward_targets);
    tcase_add_test(cases, attacks_leave_no_trace);
    tcase_add_test(cases, damaged_files);
    tcase_add_test(cases, misuse);
    suite_add_tcase(suite, cases);
    status = run_suite(suite);
    free_keys();
    return status;
}
