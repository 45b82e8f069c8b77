/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json: which scope decides, what a signed name must be, how requirements combine (policy.md 2). */
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"
#include "verifier/trustroot.h"

static const char scopes_json[] =
    "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{"
    "\"r.example.com/team/app:v1\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"r.example.com/team/app@" TEST_DIGEST "\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"r.example.com/team/app\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"r.example.com/team\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"r.example.com\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"r.example.com:5000\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"*.example.com\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"*.com\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"docker.io/library\":[{\"type\":\"insecureAcceptAnything\"}]}}}";

static const struct {
    const char *host, *repository, *tag, *written, *policy;
} lookups[] = {
    {"r.example.com", "team/app", "v1", NULL, "docker:r.example.com/team/app:v1"},
    {"r.example.com", "team/app", "v2", NULL, "docker:r.example.com/team/app"},
    {"r.example.com", "team/app", NULL, NULL, "docker:r.example.com/team/app@" TEST_DIGEST},
    {"r.example.com", "team/app", "v1", "r.example.com/team/app:v1@" TEST_DIGEST,
     "docker:r.example.com/team/app@" TEST_DIGEST},
    {"r.example.com", "team/app/sub", "v1", NULL, "docker:r.example.com/team/app"},
    {"r.example.com", "team/apple", "v1", NULL, "docker:r.example.com/team"},
    {"r.example.com", "teams/app", "v1", NULL, "docker:r.example.com"},
    {"r.example.com:5000", "team/app", "v1", NULL, "docker:r.example.com:5000"},
    {"r.example.com:5001", "team/app", "v1", NULL,
     "docker:*.example.com"}, /* the port is not stripped for a host scope */
    {"q.example.com", "x", "v1", NULL, "docker:*.example.com"},
    {"a.b.example.com", "x", "v1", NULL, "docker:*.example.com"},
    {"example.com", "x", "v1", NULL, "docker:*.com"},
    {"example.org", "x", "v1", NULL, "default"},
    {"index.docker.io", "library/alpine", "3", NULL, "docker:docker.io/library"},
    {"index.docker.io", "user/app", "3", NULL, "default"},
};

START_TEST(the_most_specific_scope_decides)
{
    struct policy_set *set = test_load_named("policy.json", scopes_json);
    struct policy_image image = test_image(lookups[_i].host, lookups[_i].repository, lookups[_i].tag);
    struct claims claims = {0};
    struct test_outcome out;

    image.written = lookups[_i].written;
    out = test_decide(set, &image, &claims, NO_MATCH_ALLOW);
    ck_assert_str_eq(out.policy, lookups[_i].policy);
    ck_assert_int_eq(out.satisfied, strcmp(lookups[_i].policy, "default") != 0);
    ck_assert_int_eq(out.reason, out.satisfied ? REASON_STATIC_PASS : REASON_STATIC_FAIL);
    mem_free(out.report);
    policy_set_free(set);
}
END_TEST

#define DIGEST_REF "r.io/app@" TEST_DIGEST

/* rows: what is signed, how it was asked for, and whether it is accepted under each kind. */
static const struct {
    const char *identity, *tag, *written, *reference;
    bool satisfied;
} identities[] = {
    /* the default: matchRepoDigestOrExact */
    {NULL, "v1", NULL, "r.io/app:v1", true},
    {NULL, "v1", NULL, "r.io/app:v2", false},
    {NULL, "v1", NULL, "r.io/app", false},
    {NULL, NULL, NULL, "r.io/app:v2", true},
    {NULL, NULL, NULL, "r.io/app", true},
    {NULL, NULL, NULL, "r.io/other:v1", false},
    {NULL, "v1", "r.io/app:v1@" TEST_DIGEST, "r.io/app:v1", false},
    {NULL, "v1", "r.io/app:v1@" TEST_DIGEST, "r.io/app:v1@" TEST_DIGEST, true},
    {NULL, "v1", NULL, NULL, false},
    {NULL, "v1", NULL, "not a reference", false},
    {"{\"type\":\"matchExact\"}", "v1", NULL, "r.io/app:v1", true},
    {"{\"type\":\"matchExact\"}", "v1", NULL, "r.io/app:v2", false},
    {"{\"type\":\"matchExact\"}", NULL, NULL, "r.io/app:v1", false},
    {"{\"type\":\"matchExact\"}", NULL, NULL, DIGEST_REF, true},
    /* exactly: what was signed may not say more than what was asked for either */
    {"{\"type\":\"matchExact\"}", NULL, NULL, "r.io/app:v1@" TEST_DIGEST, false},
    {"{\"type\":\"matchExact\"}", "v1", NULL, "r.io/app:v1@" TEST_DIGEST, false},
    {"{\"type\":\"matchExact\"}", "v1", NULL, DIGEST_REF, false},
    {"{\"type\":\"matchRepository\"}", "v1", NULL, "r.io/app", true},
    {"{\"type\":\"matchRepository\"}", "v1", NULL, "r.io/app:v9", true},
    {"{\"type\":\"matchRepository\"}", NULL, NULL, "r.io/app:v9", true},
    {"{\"type\":\"matchRepository\"}", "v1", NULL, "r.io/apps", false},
    {"{\"type\":\"exactReference\",\"dockerReference\":\"v.io/x:v1\"}", "v9", NULL, "v.io/x:v1", true},
    {"{\"type\":\"exactReference\",\"dockerReference\":\"v.io/x:v1\"}", "v1", NULL, "v.io/x:v2", false},
    {"{\"type\":\"exactReference\",\"dockerReference\":\"v.io/x:v1\"}", "v1", NULL, "r.io/app:v1", false},
    {"{\"type\":\"exactRepository\",\"dockerRepository\":\"v.io/x\"}", "v9", NULL, "v.io/x:v1", true},
    {"{\"type\":\"exactRepository\",\"dockerRepository\":\"v.io/x\"}", "v9", NULL, "v.io/x", true},
    {"{\"type\":\"exactRepository\",\"dockerRepository\":\"v.io/x\"}", "v9", NULL, "r.io/app", false},
    {"{\"type\":\"remapIdentity\",\"prefix\":\"r.io\",\"signedPrefix\":\"v.io/mirror\"}", "v1", NULL,
     "v.io/mirror/app:v1", true},
    {"{\"type\":\"remapIdentity\",\"prefix\":\"r.io\",\"signedPrefix\":\"v.io/mirror\"}", "v1", NULL, "r.io/app:v1",
     false},
    {"{\"type\":\"remapIdentity\",\"prefix\":\"r.io\",\"signedPrefix\":\"v.io/mirror\"}", NULL, NULL,
     "v.io/mirror/app:v9", true},
    {"{\"type\":\"remapIdentity\",\"prefix\":\"r.io/app\",\"signedPrefix\":\"v.io/x\"}", "v1", NULL, "v.io/x:v1", true},
    /* a prefix that does not match changes nothing; it ends at a slash */
    {"{\"type\":\"remapIdentity\",\"prefix\":\"r.io/ap\",\"signedPrefix\":\"v.io/x\"}", "v1", NULL, "v.io/xp:v1",
     false},
    {"{\"type\":\"remapIdentity\",\"prefix\":\"q.io\",\"signedPrefix\":\"v.io/x\"}", "v1", NULL, "r.io/app:v1", true},
};

static char *key_data(const char *name)
{
    struct buf bytes = {0}, base64 = BUF_INIT(10000);
    struct error err = ERROR_INIT;

    ck_assert(test_read_key(NULL, name, &bytes, &err));
    base64_encode(buf_as_span(&bytes), &base64);
    buf_free(&bytes);
    return buf_take(&base64);
}

static struct claim signature(const char *key, const char *reference, enum claim_layout layout)
{
    struct claim claim = {.kind = CLAIM_SIGNATURE, .layout = layout, .signer = SIGNER_KEY, .key_hash = DIGEST_SHA256};

    claim.place.repository = (char *)(uintptr_t)"r.io/app";
    claim.docker_reference = (char *)(uintptr_t)reference;
    (void)snprintf(claim.key_fingerprint, sizeof(claim.key_fingerprint), "%s", test_fingerprint(key));
    return claim;
}

START_TEST(the_signed_name_must_fit)
{
    char *data = key_data("cosign.pub");
    char *json =
        identities[_i].identity != NULL
            ? mem_printf("{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\",\"signedIdentity\":%s}]}", data,
                         identities[_i].identity)
            : mem_printf("{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\"}]}", data);
    struct policy_set *set = test_load_named("policy.json", json);
    struct policy_image image = test_image("r.io", "app", identities[_i].tag);
    struct claim claim = signature("cosign.pub", identities[_i].reference, LAYOUT_LEGACY);
    struct claims claims = {.items = &claim, .count = 1};
    struct test_outcome out;

    image.written = identities[_i].written;
    out = test_decide(set, &image, &claims, NO_MATCH_DENY);
    ck_assert_msg(out.satisfied == identities[_i].satisfied, "%s", out.message);
    ck_assert_int_eq(out.reason, out.satisfied ? REASON_OK : REASON_IDENTITY_MISMATCH);
    mem_free(out.report);
    policy_set_free(set);
    mem_free(json);
    mem_free(data);
}
END_TEST

/* AND within the list; OR within one requirement; bundles do not count. */
START_TEST(requirements_combine)
{
    char *a = key_data("cosign.pub"), *b = key_data("secp384r1.pub");
    char *json =
        mem_printf("{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\",\"signedIdentity\":{\"type\":"
                   "\"matchRepository\"}},{\"type\":\"insecureAcceptAnything\"},{\"type\":\"sigstoreSigned\","
                   "\"keyDatas\":[\"%s\",\"%s\"],\"signedIdentity\":{\"type\":\"matchRepository\"}}]}",
                   a, b, a);
    char *both =
        mem_printf("{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\",\"signedIdentity\":{\"type\":"
                   "\"matchRepository\"}},{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\",\"signedIdentity\":{\"type\":"
                   "\"matchRepository\"}}]}",
                   a, b);
    struct policy_set *set = test_load_named("policy.json", json), *and = test_load_named("policy.json", both);
    struct policy_image image = test_image("r.io", "app", "v1");
    struct claim items[2] = {signature("cosign.pub", "r.io/app", LAYOUT_LEGACY),
                             signature("secp384r1.pub", "r.io/app", LAYOUT_LEGACY)};
    struct claims claims = {.items = items, .count = 1};
    struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

    ck_assert_msg(out.satisfied, "%s", out.message);
    ck_assert_int_eq(out.reason, REASON_OK);
    mem_free(out.report);
    out = test_decide(and, &image, &claims, NO_MATCH_DENY);
    ck_assert(!out.satisfied);
    ck_assert_str_eq(out.authority, "requirement-1");
    ck_assert_int_eq(out.reason, REASON_WRONG_KEY);
    mem_free(out.report);
    claims.count = 2;
    out = test_decide(and, &image, &claims, NO_MATCH_DENY);
    ck_assert(out.satisfied);
    mem_free(out.report);
    items[1].layout = LAYOUT_BUNDLE;
    out = test_decide(and, &image, &claims, NO_MATCH_DENY);
    ck_assert(!out.satisfied);
    mem_free(out.report);
    /* Only the hash of the format: SHA-256. */
    items[1].layout = LAYOUT_LEGACY;
    items[1].key_hash = DIGEST_SHA384;
    out = test_decide(and, &image, &claims, NO_MATCH_DENY);
    ck_assert(!out.satisfied);
    mem_free(out.report);
    policy_set_free(set);
    policy_set_free(and);
    mem_free(json);
    mem_free(both);
    mem_free(a);
    mem_free(b);
}
END_TEST

/* What policy.json spells out about certificates and logs becomes a root that the verifier reads. */
START_TEST(own_trust_roots_parse)
{
    static const char *const files[] = {"tests/policy/good-containers-fulcio.json",
                                        "tests/policy/good-containers-pki.json"};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct buf bytes = test_read(files[i]);
        struct policy_set *set = policy_set_new();
        struct trust_root *root = NULL;
        struct error err = ERROR_INIT;
        size_t count;

        ck_assert_msg(policy_set_add(set, "policy.json", buf_as_span(&bytes), &test_source, &err), "%s", err.text);
        ck_assert_str_eq(policy_set_roots(set, &count)[0], "policy.json#1");
        ck_assert_uint_eq(count, 1);
        ck_assert_msg(trust_root_parse(policy_set_root_bytes(set, 0), &root, &err), "%s", err.text);
        ck_assert_uint_eq(root->authorities.count, 1);
        ck_assert_uint_eq(root->logs.count, i == 0 ? 1 : 0);
        trust_root_free(root);
        policy_set_free(set);
        buf_free(&bytes);
    }
}
END_TEST

/* pki: subjectEmail and subjectHostname, both when both are given; the certificate is valid now; no issuer, no log. */
START_TEST(pki_wants_every_subject)
{
    struct buf pem = test_read("tests/vectors/cosign-3.1.1/keys/byo-pki/root.pem"), base64 = BUF_INIT(10000);
    static const struct {
        const char *sans[2];
        bool now, satisfied;
    } table[] = {{{"a@example.com", "h.example.com"}, true, true},
                 {{"a@example.com", "other.example.com"}, true, false},
                 {{"a@example.com", "*.EXAMPLE.com"}, true, true},
                 {{"a@example.com", "*.h.example.com"}, true, false},
                 {{"A@example.com", "h.example.com"}, true, false}, /* mailboxes compare as they stand */
                 {{"b@example.com", "h.example.com"}, true, false},
                 {{"a@example.com", "h.example.com"}, false, false}};
    struct policy_image image = test_image("r.io", "app", "v1");
    struct policy_set *set;
    char *json;

    base64_encode(buf_as_span(&pem), &base64);
    json = mem_printf("{\"default\":[{\"type\":\"sigstoreSigned\",\"pki\":{\"caRootsData\":\"%s\",\"subjectEmail\":"
                      "\"a@example.com\",\"subjectHostname\":\"h.example.com\"},\"signedIdentity\":{\"type\":"
                      "\"matchRepository\"}}]}", buf_cstr(&base64));
    set = test_load_named("policy.json", json);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *sans[2] = {(char *)(uintptr_t)table[i].sans[0], (char *)(uintptr_t)table[i].sans[1]};
        char serial[] = "1", repository[] = "r.io/app";
        struct claim_chain chain = {.chain_verified = table[i].now, .now_used = true};
        enum san_kind kinds[] = {SAN_EMAIL, SAN_DNS};
        struct claim_certificate certificate = {.san = sans[0], .sans = sans, .san_kinds = kinds, .san_count = 2,
                                                .serial = serial,
                                                .chains = &chain, .chain_count = 1};
        struct claim claim = {.kind = CLAIM_SIGNATURE,
                              .layout = LAYOUT_LEGACY,
                              .signer = SIGNER_CERTIFICATE,
                              .certificate = &certificate,
                              .place = {.repository = repository},
                              .docker_reference = repository};
        struct claims claims = {.items = &claim, .count = 1};
        struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

        ck_assert_msg(out.satisfied == table[i].satisfied, "%zu: %s", i, out.message);
        mem_free(out.report);
        /* The same texts as names of another kind are other names. */
        kinds[0] = SAN_URI;
        out = test_decide(set, &image, &claims, NO_MATCH_DENY);
        ck_assert(!out.satisfied);
        mem_free(out.report);
    }
    policy_set_free(set);
    mem_free(json);
    buf_free(&pem);
    buf_free(&base64);
}
END_TEST

/* fulcio: the mailbox must stand as a mailbox in the certificate; the same text as a URI is another identity. */
START_TEST(fulcio_wants_a_mailbox)
{
    static const enum san_kind kinds[] = {SAN_EMAIL, SAN_URI, SAN_DNS, SAN_OTHER};
    struct buf bytes = test_read("tests/policy/good-containers-fulcio.json");
    struct policy_set *set = policy_set_new();
    struct policy_image image = test_image("r.io", "app", "v1");
    char repository[] = "r.io/app", reference[] = "r.io/app:v1", serial[] = "1", name[] = "log";
    char email[] = "a@example.com", issuer[] = "https://issuer.example.com";
    bool valid[] = {true};
    struct error err = ERROR_INIT;

    ck_assert_msg(policy_set_add(set, "policy.json", buf_as_span(&bytes), &test_source, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct claim_chain chain = {.chain_verified = true, .valid_at = valid};
        struct claim_certificate certificate = {.san = email, .san_kind = kinds[i], .issuer = issuer,
                                                .serial = serial, .chains = &chain, .chain_count = 1};
        struct claim_time time = {.kind = TIME_LOG, .at = TEST_NOW - 60, .authority = name};
        struct claim_log log = {.log = name, .set_verified = true};
        struct claim claim = {.kind = CLAIM_SIGNATURE, .layout = LAYOUT_LEGACY, .signer = SIGNER_CERTIFICATE,
                              .certificate = &certificate, .place = {.repository = repository},
                              .docker_reference = reference, .times = &time, .time_count = 1, .logs = &log,
                              .log_count = 1};
        struct claims claims = {.items = &claim, .count = 1};
        struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

        ck_assert_msg(out.satisfied == (kinds[i] == SAN_EMAIL), "%zu: %s", i, out.message);
        ck_assert_int_eq(out.reason, out.satisfied ? REASON_OK : REASON_WRONG_IDENTITY);
        mem_free(out.report);
    }
    policy_set_free(set);
    buf_free(&bytes);
}
END_TEST

START_TEST(dialects_do_not_mix)
{
    static const char cluster[] =
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\n"
        "spec: {images: [{glob: \"**\"}], authorities: [{static: {action: pass}}]}\n";
    struct policy_set *set = test_load(cluster);
    struct error err = ERROR_INIT;

    ck_assert(
        !policy_set_add(set, "policy.json", span_str("{\"default\":[{\"type\":\"reject\"}]}"), &test_source, &err));
    ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
    policy_set_free(set);
    set = test_load_named("policy.json", "{\"default\":[{\"type\":\"reject\"}]}");
    ck_assert(!policy_set_add(set, "a.yaml", span_str(cluster), &test_source, &err));
    ck_assert(!policy_set_add(set, "b.json", span_str("{\"default\":[{\"type\":\"reject\"}]}"), &test_source, &err));
    ck_assert_str_eq(err.text, "b.json:1:1: a second policy.json; one file decides");
    policy_set_free(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_containers");
    TCase *tcase = tcase_create("containers");

    tcase_add_loop_test(tcase, the_most_specific_scope_decides, 0, ARRAY_LEN(lookups));
    tcase_add_loop_test(tcase, the_signed_name_must_fit, 0, ARRAY_LEN(identities));
    tcase_add_test(tcase, requirements_combine);
    tcase_add_test(tcase, own_trust_roots_parse);
    tcase_add_test(tcase, pki_wants_every_subject);
    tcase_add_test(tcase, fulcio_wants_a_mailbox);
    tcase_add_test(tcase, dialects_do_not_mix);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
