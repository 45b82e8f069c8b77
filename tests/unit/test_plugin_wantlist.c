/* SPDX-License-Identifier: Apache-2.0 */
/* What a judge that bytes from outside have subverted may ask the fetcher for: nothing but what it could have asked. */
#include "plugin/engine/wantlist.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "crypto/init.h"
#include "plugin/message.h"
#include "tests/unit/harness.h"

enum { TAG_WANT = 1 };
#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct engine_config config;

static void setup(void)
{
    static const char policy[] =
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\nspec:\n"
        "  images: [{glob: \"**\"}]\n  authorities:\n    - key: {path: k.pub}\n"
        "      source: [{oci: sources.test/sigs}]\n";
    static const char key[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                              "-----END PUBLIC KEY-----\n"; /* RFC 8410 section 10.1 */
    CLEANUP(load_files_done) struct load_files files = {0};
    struct error err = ERROR_INIT;

    ck_assert(crypto_init(&err));
    ck_assert(load_files_add(&files, LOAD_KEY, "k.pub", span_str(key), &err));
    ck_assert(load_files_add(&files, LOAD_POLICY, "p.yaml", span_str(policy), &err));
    ck_assert_msg(engine_load_files(&files, &config, &err), "%s", err.text);
}

static void teardown(void)
{
    engine_config_done(&config);
}

static const struct {
    enum want_kind kind;
    const char *host, *repository, *target;
    bool good;
} rows[] = {
    {WANT_MANIFEST, "r.test", "team/app", "v1", true},
    {WANT_MANIFEST, "r.test", "team/app", "sha256:" HEX, true},
    {WANT_MANIFEST, "r.test", "team/app", "sha256-" HEX ".sig", true},
    {WANT_BLOB, "r.test", "team/app", "sha256:" HEX, true},
    {WANT_REFERRERS, "r.test", "team/app", "sha256:" HEX, true},
    {WANT_PAGE, "r.test", "team/app", "/v2/team/app/referrers/sha256:" HEX "?n=2&last=x", true},
    {WANT_MANIFEST, "sources.test", "sigs", "sha256-" HEX ".sig", true},
    /* elsewhere */
    {WANT_MANIFEST, "evil.test", "team/app", "v1", false},
    {WANT_MANIFEST, "r.test:5000", "team/app", "v1", false},
    {WANT_MANIFEST, "r.test", "team/other", "v1", false},
    {WANT_MANIFEST, "r.test", "team", "v1", false},
    {WANT_MANIFEST, "r.test", "team/app/more", "v1", false},
    {WANT_MANIFEST, "sources.test", "team/app", "v1", false},
    {WANT_MANIFEST, "sources.test", "sigs/more", "v1", false},
    {WANT_PAGE, "evil.test", "team/app", "/v2/x", false},
    /* other than its kind's names */
    {WANT_MANIFEST, "r.test", "team/app", "", false},
    {WANT_MANIFEST, "r.test", "team/app", ".", false},
    {WANT_MANIFEST, "r.test", "team/app", "..", false},
    {WANT_MANIFEST, "r.test", "team/app", "../../other/manifests/v1", false},
    {WANT_MANIFEST, "r.test", "team/app", "v1/../x", false},
    {WANT_MANIFEST, "r.test", "team/app", "v1?x=y", false},
    {WANT_MANIFEST, "r.test", "team/app", "v%31", false},
    {WANT_MANIFEST, "r.test", "team/app", "v1 ", false},
    {WANT_BLOB, "r.test", "team/app", "/v2/team/app/blobs/x", false},
    {WANT_REFERRERS, "r.test", "team/app", "sha256:" HEX "?x", false},
    {WANT_PAGE, "r.test", "team/app", "v2/x", false},
    {WANT_PAGE, "r.test", "team/app", "//evil.test/v2/x", false},
    {WANT_PAGE, "r.test", "team/app", "/v2/../../x", false},
    {WANT_PAGE, "r.test", "team/app", "/v2/x y", false},
    {WANT_PAGE, "r.test", "team/app", "/v2/x#y", false},
    {WANT_PAGE, "r.test", "team/app", "/v2/\\x", false},
    {WANT_PAGE, "r.test", "team/app", "/v2/x\r\nHost: evil.test", false},
};

START_TEST(only_what_is_concerned)
{
    char reference[] = "r.test/team/app:v1", bad[] = "r.test/Team";
    struct request request = {.reference = reference};
    char copies[3][200];
    struct want items[2] = {{.kind = WANT_MANIFEST, .host = copies[0], .repository = copies[1], .target = copies[2]}};
    struct wants wants = {.items = items, .count = 2};
    struct error err = ERROR_INIT;

    ck_assert(rows[0].good);
    (void)snprintf(copies[0], sizeof(copies[0]), "%s", rows[_i].host);
    (void)snprintf(copies[1], sizeof(copies[1]), "%s", rows[_i].repository);
    (void)snprintf(copies[2], sizeof(copies[2]), "%s", rows[_i].target);
    items[1] = items[0];
    items[1].kind = rows[_i].kind;
    items[0].kind = rows[_i].kind;
    ck_assert_msg(wantlist_check(&config, &request, &wants, &err) == rows[_i].good, "row %d: %s", _i, err.text);
    ck_assert(rows[_i].good || err.reason == REASON_INTERNAL);
    request.reference = bad;
    ck_assert(!wantlist_check(&config, &request, &wants, &err));
    ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
}
END_TEST

/* One bad want among good ones is as bad at any place. */
START_TEST(each_is_looked_at)
{
    char reference[] = "r.test/team/app:v1", host[] = "r.test", evil[] = "evil.test", repository[] = "team/app",
         tag[] = "v1";
    const struct request request = {.reference = reference};
    struct want items[3];
    struct wants wants = {.items = items, .count = 3};

    for (size_t bad = 0; bad < 4; bad++) {
        struct error err = ERROR_INIT;

        for (size_t i = 0; i < 3; i++)
            items[i] = (struct want){.kind = WANT_MANIFEST, .host = i == bad ? evil : host, .repository = repository,
                                     .target = tag};
        ck_assert(wantlist_check(&config, &request, &wants, &err) == (bad == 3));
    }
}
END_TEST

static void put_want(struct buf *message, uint16_t tag)
{
    char host[] = "r.test", repository[] = "team/app", target[] = "v1";
    const struct want want = {.id = 1, .kind = WANT_MANIFEST, .host = host, .repository = repository, .target = target,
                              .max_bytes = 100};
    size_t nested = wire_open(message, tag);

    want_write(message, &want);
    wire_close(message, nested);
}

static bool reads(const struct buf *message, size_t count, enum reason reason)
{
    CLEANUP(wants_done) struct wants wants = {0};
    struct error err = ERROR_INIT;
    bool done = wantlist_read(buf_as_span(message), &wants, &err);

    ck_assert_msg(done == (reason == REASON_OK), "%s", err.text);
    ck_assert_uint_eq(wants.count, done ? count : 0);
    ck_assert_msg(done || err.reason == reason, "%s", err.text);
    return done;
}

START_TEST(messages_are_whole)
{
    for (int i = 0; i < 6; i++) {
        CLEANUP(buf_free) struct buf message = BUF_INIT(1 << 20);
        size_t start = wire_begin(&message, i == 1 ? MESSAGE_READY : MESSAGE_WANTS);
        size_t count = i == 4 ? LIMIT_EVIDENCE_ITEMS : i == 5 ? LIMIT_EVIDENCE_ITEMS + 1 : 2;

        for (size_t j = 0; j < count; j++)
            put_want(&message, i == 2 && j == 1 ? TAG_WANT + 1 : TAG_WANT);
        if (i == 3)
            wire_put_str(&message, TAG_WANT, "x");
        wire_end(&message, start);
        ck_assert(buf_ok(&message));
        (void)reads(&message, count, i == 0 || i == 4 ? REASON_OK : i == 5 ? REASON_LIMIT : REASON_MALFORMED);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_wantlist");
    TCase *cases = tcase_create("wantlist");

    tcase_add_unchecked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, only_what_is_concerned, 0, (int)ARRAY_LEN(rows));
    tcase_add_test(cases, each_is_looked_at);
    tcase_add_test(cases, messages_are_whole);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
