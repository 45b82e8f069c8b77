/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delegated roles (TUF specification 4.5 and 5.6.7): the search, its limits, and each attack of section 5.6 on a
 * delegated role. The table of all attacks is in test_verifier_tuf.c.
 */
#include "tests/unit/tuf_repo.h"
#include "verifier/tuf_internal.h"

#define OUR_PATH "\"paths\":[\"trusted_root.json\"]"
#define OTHER_PATH "\"paths\":[\"other/*\",\"*.txt\"]"
#define NO_TARGETS "{}"
#define ROLES_META "{\"one.json\":{\"version\":1},\"targets.json\":{\"version\":1},\"two.json\":{\"version\":1}}"

/* One role's file, of version 1 unless another is said. */
struct spoken {
    const char *name;
    int version;
    int64_t expires;
    const char *targets; /* NULL: our target */
    const char *signers;
    const struct delegation *delegations;
    size_t count;
};

static void speak(struct repo *repo, const struct spoken *spoken)
{
    char name[TUF_NAME_BYTES], meta[512];
    int version = spoken->version > 0 ? spoken->version : 1;

    target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
    (void)snprintf(name, sizeof(name), "%d.%s.json", version, spoken->name);
    repo_put(repo, name,
             make_plain(&(struct plain){"targets", version, spoken->expires > 0 ? spoken->expires : NOW + DAY,
                                        spoken->targets ? spoken->targets : meta, spoken->signers, spoken->delegations,
                                        spoken->count}));
}

static void start(struct repo *repo, const char *snapshot_meta)
{
    repo_start(repo);
    put_snapshot(repo, "1.snapshot.json", 1, NOW + DAY, snapshot_meta, "d");
}

/* A client that has the root alone: nothing that was stored stands in for what is there now. */
static void forget(struct repo *repo)
{
    for (size_t role = TUF_TIMESTAMP; role < TUF_ROLES; role++)
        buf_clear(&repo->stored[role]);
}

/* targets.json names nothing and delegates to "one" (key g), which names the target. */
static const struct delegation TO_ONE[] = {{"one", {"g", 1}, OUR_PATH, false, NULL}};
static const struct delegation TO_TWO[] = {{"two", {"a", 1}, OUR_PATH, false, NULL}};

static void start_delegated(struct repo *repo)
{
    start(repo, ROLES_META);
    speak(repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", TO_ONE, 1});
    speak(repo, &(struct spoken){.name = "one", .signers = "g"});
}

START_TEST(delegated)
{
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 5); /* timestamp, snapshot, targets, one, the target */
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 2); /* timestamp, one: delegated metadata is not stored */
}
END_TEST

START_TEST(nested)
{
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    speak(&repo, &(struct spoken){"one", 0, 0, NO_TARGETS, "g", TO_TWO, 1});
    speak(&repo, &(struct spoken){.name = "two", .signers = "a"});
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 6);
    /* who delegates is still trusted, and goes first */
    speak(&repo, &(struct spoken){"one", 0, 0, NULL, "g", TO_TWO, 1});
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 2);
}
END_TEST

/* The first delegation goes before the second: that one is not even asked. */
START_TEST(priority)
{
    static const struct delegation both[] = {{"one", {"g", 1}, OUR_PATH, false, NULL},
                                             {"two", {"a", 1}, OUR_PATH, false, NULL}};
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", both, 2});
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    ck_assert_uint_eq(repo.asked, 5);
    speak(&repo, &(struct spoken){.name = "one", .targets = NO_TARGETS, .signers = "g"});
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND); /* there is no 1.two.json */
    speak(&repo, &(struct spoken){.name = "two", .signers = "a"});
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

/* Every role on the way must be trusted with the path, not the last one alone. */
START_TEST(paths_on_the_way)
{
    static const struct delegation elsewhere[] = {{"one", {"g", 1}, OTHER_PATH, false, NULL}};
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", elsewhere, 1});
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
    ck_assert_uint_eq(repo.asked, 3);
}
END_TEST

START_TEST(terminating)
{
    struct delegation both[] = {{"one", {"g", 1}, OUR_PATH, true, NULL}, {"two", {"a", 1}, OUR_PATH, false, NULL}};
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", both, 2});
    speak(&repo, &(struct spoken){.name = "one", .targets = NO_TARGETS, .signers = "g"});
    speak(&repo, &(struct spoken){.name = "two", .signers = "a"});
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
    both[0].paths = OTHER_PATH; /* it ends nothing for paths that it does not hold */
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", both, 2});
    forget(&repo);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    forget(&repo);
    both[0].paths = OUR_PATH; /* its own descendants are asked */
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", both, 1});
    speak(&repo, &(struct spoken){"one", 0, 0, NO_TARGETS, "g", TO_TWO, 1});
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

/* A terminating delegation deep down ends the whole search, not its own branch alone. */
START_TEST(terminating_below)
{
    static const struct delegation top[] = {{"one", {"g", 1}, OUR_PATH, false, NULL},
                                            {"three", {"b", 1}, OUR_PATH, false, NULL}};
    static const struct delegation ends[] = {{"two", {"a", 1}, OUR_PATH, true, NULL}};
    struct repo repo CLEANUP(repo_done);

    start(&repo, "{\"one.json\":{\"version\":1},\"targets.json\":{\"version\":1},\"three.json\":{\"version\":1},"
                 "\"two.json\":{\"version\":1}}");
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY,
                 "{\"one.json\":{\"version\":1},\"targets.json\":{\"version\":1},\"three.json\":{\"version\":1},"
                 "\"two.json\":{\"version\":1}}",
                 "d");
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", top, 2});
    speak(&repo, &(struct spoken){"one", 0, 0, NO_TARGETS, "g", ends, 1});
    speak(&repo, &(struct spoken){.name = "two", .targets = NO_TARGETS, .signers = "a"});
    speak(&repo, &(struct spoken){.name = "three", .signers = "b"});
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
    ck_assert_uint_eq(repo.asked, 5); /* three is not asked */
    speak(&repo, &(struct spoken){"one", 0, 0, NO_TARGETS, "g", TO_TWO, 1});
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
}
END_TEST

START_TEST(cycle)
{
    static const struct delegation back[] = {{"one", {"g", 1}, OUR_PATH, false, NULL},
                                             {"two", {"a", 1}, OUR_PATH, false, NULL}};
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    speak(&repo, &(struct spoken){"one", 0, 0, NO_TARGETS, "g", TO_TWO, 1});
    speak(&repo, &(struct spoken){"two", 0, 0, NO_TARGETS, "a", back, 2});
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
    ck_assert_uint_eq(repo.asked, 5); /* each role once */
}
END_TEST

/* A chain of roles r1, r2 ... of which the last one names the target. */
static enum reason chain_of(int length)
{
    struct repo repo CLEANUP(repo_done);
    CLEANUP(buf_free) struct buf meta = BUF_INIT(FILE_MAX);

    repo_start(&repo);
    buf_byte(&meta, '{');
    for (int i = 10; i < 10 + length; i++)
        buf_printf(&meta, "\"r%d.json\":{\"version\":1},", i);
    buf_str(&meta, "\"targets.json\":{\"version\":1}}");
    buf_byte(&meta, '\0');
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY, (const char *)meta.ptr, "d");
    for (int i = 9; i < 10 + length; i++) {
        char name[16], next[16];
        struct delegation to_next = {next, {"g", 1}, OUR_PATH, false, NULL};
        bool last = i == 9 + length;

        (void)snprintf(name, sizeof(name), i == 9 ? "targets" : "r%d", i);
        (void)snprintf(next, sizeof(next), "r%d", i + 1);
        speak(&repo, &(struct spoken){name, 0, 0, last ? NULL : NO_TARGETS, i == 9 ? "e" : "g", &to_next, !last});
    }
    return update(&repo, NOW);
}

START_TEST(too_many)
{
    ck_assert_int_eq(chain_of(TUF_MAX_DELEGATIONS), REASON_OK);
    ck_assert_int_eq(chain_of(TUF_MAX_DELEGATIONS + 1), REASON_LIMIT);
}
END_TEST

/* What an attacker may put in the place of 1.one.json. */
static const struct {
    const char *what;
    struct spoken one;
    enum reason reason;
} attacks[] = {
    {"a stranger's", {.name = "one", .signers = "b"}, REASON_THRESHOLD},
    {"nobody's", {.name = "one", .signers = ""}, REASON_THRESHOLD},
    {"by the targets role's key", {.name = "one", .signers = "e"}, REASON_THRESHOLD},
    {"by a key that the root names for itself", {.name = "one", .signers = "abc"}, REASON_THRESHOLD},
    {"expired", {.name = "one", .expires = NOW, .signers = "g"}, REASON_EXPIRED},
    {"in its last second", {.name = "one", .expires = NOW + 1, .signers = "g"}, REASON_OK},
};

START_TEST(attacked)
{
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    speak(&repo, &attacks[_i].one);
    ck_assert_msg(update(&repo, NOW) == attacks[_i].reason, "%s", attacks[_i].what);
}
END_TEST

START_TEST(thresholds)
{
    static const struct {
        struct role role;
        const char *signers;
        enum reason reason;
    } cases[] = {
        {{"gh", 2}, "gh", REASON_OK},          {{"gh", 2}, "hg", REASON_OK},        {{"gh", 2}, "g", REASON_THRESHOLD},
        {{"gh", 2}, "gg", REASON_THRESHOLD},   {{"gg", 2}, "gg", REASON_THRESHOLD}, {{"gh", 0}, "gh", REASON_MALFORMED},
        {{"gh", -1}, "gh", REASON_MALFORMED}, {{"gz", 1}, "g", REASON_OK},         {{"gz", 2}, "gz", REASON_THRESHOLD},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct repo repo CLEANUP(repo_done);
        struct delegation to_one = {"one", cases[i].role, OUR_PATH, false, NULL};

        start_delegated(&repo);
        speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", &to_one, 1});
        if (strcmp(cases[i].signers, "gz") != 0) /* z is nobody's key */
            speak(&repo, &(struct spoken){.name = "one", .signers = cases[i].signers});
        ck_assert_msg(update(&repo, NOW) == cases[i].reason, "%zu", i);
    }
}
END_TEST

/* Bound to the snapshot as the top-level role is: version, length, hash, and being there at all. */
START_TEST(named_by_the_snapshot)
{
    struct repo repo CLEANUP(repo_done);
    struct spoken second = {.name = "one", .version = 2, .signers = "g"};
    struct buf swapped = BUF_INIT(FILE_MAX);

    start_delegated(&repo);
    speak(&repo, &second);
    buf_span(&swapped, buf_as_span(repo_find(&repo, "2.one.json")));
    repo_put(&repo, "1.one.json", swapped);
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* mix and match */
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY,
                 "{\"one.json\":{\"version\":2},\"targets.json\":{\"version\":1}}", "d");
    forget(&repo);
    ck_assert_int_eq(update(&repo, NOW), REASON_OK);
    put_timestamp(&repo, 2, NOW + DAY, SNAPSHOT_META(2), "f");
    put_snapshot(&repo, "2.snapshot.json", 2, NOW + DAY,
                 "{\"one.json\":{\"version\":1},\"targets.json\":{\"version\":1}}", "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* rollback of a delegated role */
    put_snapshot(&repo, "2.snapshot.json", 2, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_UNTRUSTED_CHAIN); /* it has gone */
}
END_TEST

START_TEST(not_in_the_snapshot)
{
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    put_snapshot(&repo, "1.snapshot.json", 1, NOW + DAY, TARGETS_META(1), "d");
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
}
END_TEST

START_TEST(stated_length_and_hash)
{
    struct repo repo CLEANUP(repo_done);
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1], meta[512];
    struct buf *one;

    for (int wrong = 0; wrong < 4; wrong++) {
        static const enum reason reasons[] = {REASON_OK, REASON_LIMIT, REASON_DIGEST_MISMATCH, REASON_DIGEST_MISMATCH};
        struct repo made CLEANUP(repo_done);

        start_delegated(&made);
        one = repo_find(&made, "1.one.json");
        ck_assert(digest_compute(DIGEST_SHA256, buf_as_span(one), &digest));
        (void)digest_hex(&digest, hex);
        if (wrong == 3)
            hex[0] = hex[0] == '0' ? '1' : '0';
        (void)snprintf(meta, sizeof(meta),
                       "{\"one.json\":{\"hashes\":{\"sha256\":\"%s\"},\"length\":%zu,\"version\":1},"
                       "\"targets.json\":{\"version\":1}}",
                       hex, one->len - (wrong == 1) + (wrong == 2));
        put_snapshot(&made, "1.snapshot.json", 1, NOW + DAY, meta, "d");
        ck_assert_msg(update(&made, NOW) == reasons[wrong], "%d", wrong);
    }
    start_delegated(&repo); /* and without a stated length there is an end as well */
    one = repo_find(&repo, "1.one.json");
    buf_free(one);
    *one = (struct buf)BUF_INIT(VECTOR_MAX_BYTES);
    while (one->len <= 5000000)
        buf_str(one, "          ");
    ck_assert_int_eq(update(&repo, NOW), REASON_LIMIT);
}
END_TEST

/* Another role's file, rightly signed, is not this role's; nor is a file that is none. */
START_TEST(other_files)
{
    struct repo repo CLEANUP(repo_done);

    start_delegated(&repo);
    put_snapshot(&repo, "1.one.json", 1, NOW + DAY, ROLES_META, "g");
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
    repo_put(&repo, "1.one.json", text_of("{"));
    ck_assert_int_eq(update(&repo, NOW), REASON_MALFORMED);
    repo_drop(&repo, "1.one.json");
    ck_assert_int_eq(update(&repo, NOW), REASON_NOT_FOUND);
}
END_TEST

/* Delegations as they may stand in a file: which are read, and which end the search. */
static const struct {
    const char *raw;
    enum reason reason;
} forms[] = {
#define FORM(name, paths, rest) "{\"keyids\":[\"g\"],\"name\":" name "," paths rest "}"
    {FORM("\"one\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_OK},
    {FORM("\"one\"", "\"paths\":[\"x\",\"trusted_*\"]", ",\"terminating\":false,\"threshold\":1"), REASON_OK},
    {FORM("\"one\"", "\"path_hash_prefixes\":[\"ff\",\"c3\"]", ",\"terminating\":true,\"threshold\":1"),
     REASON_NOT_FOUND},
    {FORM("\"one\"", "\"path_hash_prefixes\":[\"\"]", ",\"terminating\":true,\"threshold\":1"), REASON_MALFORMED},
    {FORM("\"one\"", "\"paths\":[\"*\"]", ",\"terminating\":\"no\",\"threshold\":1"), REASON_MALFORMED},
    {FORM("\"one\"", "\"paths\":[\"*\"]", ",\"threshold\":1"), REASON_MALFORMED},
    {FORM("\"one\"", "\"paths\":\"*\"", ",\"terminating\":false,\"threshold\":1"), REASON_MALFORMED},
    {FORM("\"one\"", "\"paths\":[7]", ",\"terminating\":false,\"threshold\":1"), REASON_MALFORMED},
    {FORM("\"one\"", "\"path_hash_prefixes\":[],\"paths\":[]", ",\"terminating\":false,\"threshold\":1"),
     REASON_MALFORMED},
    {FORM("\"one\"", "\"terminating\":false", ",\"threshold\":1,\"x\":[]"), REASON_MALFORMED},
    {FORM("\"one\"", "\"paths\":[\"[t]*\"]", ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\"one\"", "\"paths\":[]", ",\"terminating\":false,\"threshold\":1"), REASON_NOT_FOUND},
    {FORM("7", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_MALFORMED},
    {FORM("\"\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\"../one\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\".one\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\"a/b\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\"root\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\"targets\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"), REASON_UNSUPPORTED},
    {FORM("\"one\"", OUR_PATH, ",\"terminating\":false"), REASON_MALFORMED},
    {FORM("\"one\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1") "," FORM(
         "\"one\"", OUR_PATH, ",\"terminating\":false,\"threshold\":1"),
     REASON_MALFORMED},
    {"7", REASON_MALFORMED},
};

START_TEST(delegation_forms)
{
    struct delegation raw = {.raw = forms[_i].raw};
    struct repo repo CLEANUP(repo_done);
    enum reason reason;

    start_delegated(&repo);
    speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", &raw, 1});
    reason = update(&repo, NOW);
    ck_assert_msg(reason == forms[_i].reason, "%s: %s", forms[_i].raw, reason_name(reason));
}
END_TEST

START_TEST(hash_prefixes)
{
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1], paths[256];

    ck_assert(digest_compute(DIGEST_SHA256, span_str(TARGET), &digest));
    (void)digest_hex(&digest, hex);
    for (int len = 1; len <= 65; len++) {
        struct repo repo CLEANUP(repo_done);
        struct delegation to_one = {"one", {"g", 1}, paths, false, NULL};

        (void)snprintf(paths, sizeof(paths), "\"path_hash_prefixes\":[\"%.*s%s\"]", len, hex, len > 64 ? "0" : "");
        start_delegated(&repo);
        speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", &to_one, 1});
        ck_assert_msg(update(&repo, NOW) == (len > 64 ? REASON_NOT_FOUND : REASON_OK), "%d", len);
        if (len <= 64) {
            char *last = strrchr(paths, '"') - 1;

            *last = *last == '0' ? '1' : '0';
            speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", &to_one, 1});
            forget(&repo);
            ck_assert_msg(update(&repo, NOW) == REASON_NOT_FOUND, "%s", paths);
        }
        len += len > 3 && len < 60 ? 9 : 0;
    }
}
END_TEST

static const struct {
    const char *pattern, *path;
    bool matches;
} patterns[] = {
    /* the examples of 4.5 */
    {"targets/*.tgz", "targets/foo.tgz", true},
    {"targets/*.tgz", "targets/bar.tgz", true},
    {"targets/*.tgz", "targets/foo.txt", false},
    {"foo-version-?.tgz", "foo-version-2.tgz", true},
    {"foo-version-?.tgz", "foo-version-a.tgz", true},
    {"foo-version-?.tgz", "foo-version-alpha.tgz", false},
    {"*.tgz", "foo.tgz", true},
    {"*.tgz", "bar.tgz", true},
    {"*.tgz", "targets/foo.tgz", false},
    {"foo.tgz", "foo.tgz", true},
    {"foo.tgz", "foo_tgz", false},
    /* and ours */
    {"*", "", true},
    {"*", "a", true},
    {"*", "a/b", false},
    {"*/*", "a/b", true},
    {"*/*", "a", false},
    {"?/b", "/b", false},
    {"a?b", "a/b", false},
    {"**a", "bba", true},
    {"a*b*c", "axxbyyc", true},
    {"a*b*c", "axxbyy", false},
    {"a*ab", "aab", true},
    {"a", "ab", false},
    {"ab", "a", false},
    {"a/", "a/", true},
    {"a/", "a", false},
    {"a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
     false},
};

START_TEST(path_patterns)
{
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        ck_assert_msg(tuf_path_matches(span_str(patterns[i].pattern), span_str(patterns[i].path)) ==
                          patterns[i].matches,
                      "%s %s", patterns[i].pattern, patterns[i].path);
}
END_TEST

/* Two roles delegate to a third one with a key each: for either target it must be signed by the right one. */
START_TEST(two_delegators)
{
    static const char *const names[] = {"trusted_root.json", "second.json"};
    static const struct delegation top[] = {{"one", {"g", 1}, OUR_PATH, false, NULL},
                                            {"two", {"h", 1}, "\"paths\":[\"second.json\"]", false, NULL}};
    static const struct delegation by_one[] = {{"three", {"a", 1}, OUR_PATH, false, NULL}};
    static const struct delegation by_two[] = {{"three", {"b", 1}, "\"paths\":[\"*\"]", false, NULL}};
    static const char *const signers[] = {"a", "b", "ab"};
    static const enum reason reasons[] = {REASON_THRESHOLD, REASON_THRESHOLD, REASON_OK};

    for (int i = 0; i < 3; i++) {
        struct repo repo CLEANUP(repo_done);
        struct tuf_stored stored = {.targets = NULL};
        CLEANUP(tuf_freep) struct tuf *tuf = NULL;
        struct error err = ERROR_INIT;
        struct buf first;
        char meta[512], both[1024];

        start(&repo, "{\"one.json\":{\"version\":1},\"targets.json\":{\"version\":1},\"three.json\":{\"version\":1},"
                     "\"two.json\":{\"version\":1}}");
        target_meta(TARGET_BYTES, strlen(TARGET_BYTES), meta, sizeof(meta));
        (void)snprintf(both, sizeof(both), "{\"second.json\":%.*s,%s", (int)strlen(meta) - 22, meta + 21, meta + 1);
        first = text_of(TARGET_BYTES);
        (void)snprintf(meta, sizeof(meta), "targets/%.64s.second.json", target_file() + strlen("targets/"));
        repo_put(&repo, meta, first);
        speak(&repo, &(struct spoken){"targets", 0, 0, NO_TARGETS, "e", top, 2});
        speak(&repo, &(struct spoken){"one", 0, 0, NO_TARGETS, "g", by_one, 1});
        speak(&repo, &(struct spoken){"two", 0, 0, NO_TARGETS, "h", by_two, 1});
        speak(&repo, &(struct spoken){.name = "three", .targets = both, .signers = signers[i]});
        stored.roles[TUF_ROOT] = buf_as_span(&repo.stored[TUF_ROOT]);
        ck_assert(tuf_new(&stored, names, 2, NOW, &tuf, &err));
        ck_assert_msg(loop(&repo, tuf, &err) == reasons[i], "%s: %s", signers[i], err.text);
        ck_assert(i < 2 || span_eq_str(tuf_target(tuf, 1), TARGET_BYTES));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_tuf_delegations");
    TCase *cases = tcase_create("delegations");
    int status;

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, delegated);
    tcase_add_test(cases, nested);
    tcase_add_test(cases, priority);
    tcase_add_test(cases, paths_on_the_way);
    tcase_add_test(cases, terminating);
    tcase_add_test(cases, terminating_below);
    tcase_add_test(cases, cycle);
    tcase_add_test(cases, too_many);
    tcase_add_loop_test(cases, attacked, 0, ARRAY_LEN(attacks));
    tcase_add_test(cases, thresholds);
    tcase_add_test(cases, named_by_the_snapshot);
    tcase_add_test(cases, not_in_the_snapshot);
    tcase_add_test(cases, stated_length_and_hash);
    tcase_add_test(cases, other_files);
    tcase_add_loop_test(cases, delegation_forms, 0, ARRAY_LEN(forms));
    tcase_add_test(cases, hash_prefixes);
    tcase_add_test(cases, path_patterns);
    tcase_add_test(cases, two_delegators);
    suite_add_tcase(suite, cases);
    status = run_suite(suite);
    free_keys();
    return status;
}
