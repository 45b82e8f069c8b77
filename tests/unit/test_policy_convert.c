/* SPDX-License-Identifier: Apache-2.0 */
/* Between the dialects: what maps decides the same, what does not is refused with its reason. */
#include "policy/convert.h"

#include "base/json_out.h"
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"

#define HEAD "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\nspec:\n"
#define KEY "  authorities: [{key: {path: cosign.pub}, signatureFormat: legacy, pullguard: {identity: repository}}]\n"

static const struct {
    const char *yaml, *wanted; /* a part of the output, or of the error's text */
    bool maps;
} to_containers[] = {
    {HEAD "  images: [{glob: \"r.io/**\"}]\n" KEY,
     "\"docker\":{\"r.io\":[{\"type\":\"sigstoreSigned\",\"keyDatas\":[\"", true},
    {HEAD "  images: [{glob: \"r.io/team/**\"}]\n" KEY, "\"signedIdentity\":{\"type\":\"matchRepository\"}", true},
    {HEAD "  images: [{glob: \"r.io/team/app:v1\"}]\n" KEY, "{\"r.io/team/app:v1\":[{\"type\":\"sigstoreSigned\"",
     true},
    {HEAD "  images: [{glob: \"docker.io/library/**\"}]\n" KEY, "{\"docker.io/library\":[", true},
    {HEAD "  images: [{glob: \"**\"}]\n" KEY, "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"\":[",
     true},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  authorities: [{static: {action: pass}}]\n",
     "{\"r.io\":[{\"type\":\"insecureAcceptAnything\"}]}", true},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  authorities: [{static: {action: fail}}]\n",
     "{\"r.io\":[{\"type\":\"reject\"}]}", true},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  mode: warn\n" KEY, "{\"r.io\":[{\"type\":\"insecureAcceptAnything\"}]}",
     true},
    /* AND: the narrower scope repeats what holds above it */
    {HEAD
     "  images: [{glob: \"r.io/**\"}]\n" KEY "---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\n"
     "metadata: {name: q}\nspec:\n  images: [{glob: \"r.io/team/**\"}]\n  authorities: [{static: {action: fail}}]\n",
     "\"matchRepository\"}},{\"type\":\"reject\"}]", true},
    {HEAD "  images: [{glob: \"r.io/*\"}]\n" KEY, "wildcards only \"/**\"", false},
    {HEAD "  images: [{glob: \"r.io/app:*\"}]\n" KEY, "wildcards only \"/**\"", false},
    {HEAD "  images: [{glob: \"team/**\"}]\n" KEY, "names no registry", false},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  authorities: [{key: {path: cosign.pub}}]\n", "reads no bundles", false},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  authorities: [{key: {path: secp384r1.pub}, signatureFormat: legacy}]\n",
     "SHA-256 only", false},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  authorities: [{key: {path: cosign.pub}, signatureFormat: legacy, "
          "annotations: {a: "
          "b}}]\n",
     "annotations have no counterpart", false},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  authorities: [{keyless: {identities: [{issuer: i, subject: s}]}}]\n",
     "keyless does not map", false},
    {HEAD "  images: [{glob: \"r.io/**\"}]\n  pullguard: {revoked: {digests: [\"" TEST_DIGEST "\"]}}\n" KEY,
     "revoked has no counterpart", false},
    {HEAD
     "  images: [{glob: \"r.io/**\"}]\n  authorities: [{key: {path: cosign.pub}, signatureFormat: legacy, pullguard: "
     "{notAfter: \"2030-01-01T00:00:00Z\"}}]\n",
     "notBefore and notAfter", false},
};

START_TEST(cluster_to_containers)
{
    struct policy_set *set = test_load(to_containers[_i].yaml), *back = policy_set_new();
    struct error err = ERROR_INIT;
    struct buf out = {0};
    bool good = policy_convert(set, &out, &err);
    const char *text = good ? buf_cstr(&out) : err.text;

    ck_assert_msg(good == to_containers[_i].maps, "%s", text);
    ck_assert_msg(strstr(text, to_containers[_i].wanted) != NULL, "%s\nnot in %s", to_containers[_i].wanted, text);
    if (good)
        ck_assert_msg(policy_set_add(back, "policy.json", buf_as_span(&out), &test_source, &err), "%s", err.text);
    else
        ck_assert_int_eq(err.reason, REASON_UNSUPPORTED);
    buf_free(&out);
    policy_set_free(set);
    policy_set_free(back);
}
END_TEST

static char *key_data(const char *name)
{
    struct buf bytes = {0}, base64 = BUF_INIT(10000);
    struct error err = ERROR_INIT;

    ck_assert(test_read_key(NULL, name, &bytes, &err));
    base64_encode(buf_as_span(&bytes), &base64);
    buf_free(&bytes);
    return buf_take(&base64);
}

#define REJECT "[{\"type\":\"reject\"}]"
#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"
/* %s: the key */
#define SIGNED "[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]"

static const struct {
    const char *json, *wanted;
    bool maps;
} to_cluster[] = {
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io\":" SIGNED "}}}", "    - glob: \"r.io/**\"\n", true},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io/app\":" SIGNED "}}}",
     "    - glob: \"r.io/app\"\n    - glob: \"r.io/app/**\"\n", true},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"docker.io/library\":" SIGNED "}}}",
     "glob: \"index.docker.io/library/**\"", true},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io/app:v1\":" SIGNED "}}}",
     "    - glob: \"r.io/app:v1\"\n", true},
    {"{\"default\":" SIGNED "}", "    - glob: \"**\"\n", true},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io\":" ACCEPT ",\"r.io/bad\":" REJECT "}}}",
     "action: fail", true},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io\":" ACCEPT ",\"r.io/a\":" SIGNED "}}}",
     "identity: repository", true},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io\":" SIGNED ",\"r.io/a\":" ACCEPT "}}}",
     "a wider scope asks", false},
    {"{\"default\":" REJECT "}", "rejects everything", false},
    {"{\"default\":" ACCEPT "}", "no-match: allow", false},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"*.r.io\":" ACCEPT "}}}", "subdomains", false},
    {"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"r.io\":" ACCEPT "},\"oci\":{\"\":" ACCEPT "}}}",
     "transports other", false},
    {"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\"}]}", "only matchRepository", false},
};

START_TEST(containers_to_cluster)
{
    char *key = key_data("cosign.pub");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    char *json = mem_printf(to_cluster[_i].json, key);
#pragma GCC diagnostic pop
    struct policy_set *set = test_load_named("policy.json", json), *back = policy_set_new();
    struct error err = ERROR_INIT;
    struct buf out = {0};
    bool good = policy_convert(set, &out, &err);
    const char *text = good ? buf_cstr(&out) : err.text;

    ck_assert_msg(good == to_cluster[_i].maps, "%s", text);
    ck_assert_msg(strstr(text, to_cluster[_i].wanted) != NULL, "%s\nnot in %s", to_cluster[_i].wanted, text);
    if (good)
        ck_assert_msg(policy_set_add(back, "back.yaml", buf_as_span(&out), &test_source, &err), "%s\n%s", err.text,
                      text);
    buf_free(&out);
    policy_set_free(set);
    policy_set_free(back);
    mem_free(json);
    mem_free(key);
}
END_TEST

/* The same images, the same signatures, the same answer on both sides. */
START_TEST(both_sides_decide_alike)
{
    struct policy_set *set = test_load(HEAD "  images: [{glob: \"r.io/team/**\"}]\n" KEY), *other = policy_set_new();
    static const char *const references[] = {"r.io/team/app", "r.io/team/other"};
    struct policy_image image = test_image("r.io", "team/app", "v1");
    struct error err = ERROR_INIT;
    struct buf out = {0};

    ck_assert_msg(policy_convert(set, &out, &err), "%s", err.text);
    ck_assert_msg(policy_set_add(other, "policy.json", buf_as_span(&out), &test_source, &err), "%s", err.text);
    for (size_t i = 0; i < 2; i++) {
        struct claim claim = {.kind = CLAIM_SIGNATURE, .layout = LAYOUT_LEGACY, .signer = SIGNER_KEY};
        struct claims claims = {.items = &claim, .count = 1};
        struct test_outcome here, there;

        claim.place.repository = (char *)(uintptr_t)"r.io/team/app";
        claim.docker_reference = (char *)(uintptr_t)references[i];
        (void)snprintf(claim.key_fingerprint, sizeof(claim.key_fingerprint), "%s", test_fingerprint("cosign.pub"));
        here = test_decide(set, &image, &claims, NO_MATCH_DENY);
        claim.key_hash = DIGEST_SHA256; /* the anchor of policy.json */
        there = test_decide(other, &image, &claims, NO_MATCH_DENY);
        ck_assert_int_eq(here.satisfied, i == 0);
        ck_assert_int_eq(there.satisfied, i == 0);
        ck_assert_int_eq(here.reason, there.reason);
        mem_free(here.report);
        mem_free(there.report);
    }
    buf_free(&out);
    policy_set_free(set);
    policy_set_free(other);
}
END_TEST

START_TEST(native_requirements_are_exact_or_left_out)
{
    struct policy_set *set = test_load(
        HEAD
        "  images: [{glob: \"r.io/**\"}]\n" KEY
        "---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\n"
        "metadata: {name: wide}\nspec:\n  images: [{glob: \"q.io/**\"}]\n  authorities: [{key: {path: cosign.pub}, "
        "signatureFormat: legacy}]\n---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\n"
        "metadata: {name: nested}\nspec:\n  images: [{glob: \"r.io/team/**\"}]\n  authorities: [{key: {path: "
        "rsa2048.pub}, "
        "signatureFormat: legacy, pullguard: {identity: repository}}]\n");
    struct buf text = BUF_INIT(100000);
    struct json_out out = json_out_to(&text);
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *list;

    ck_assert_msg(policy_set_native(set, &out, &err), "%s", err.text);
    ck_assert_msg(json_parse(buf_as_span(&text), "native", TREE_DEFAULT, &tree, &err), "%s", err.text);
    list = tree_root(tree);
    ck_assert_uint_eq(list->count, 2);
    ck_assert(node_str_is(node_get(node_at(list, 0), "scope"), "r.io"));
    ck_assert_uint_eq(node_get(node_at(list, 0), "requirements")->count, 1);
    ck_assert(node_str_is(node_get(node_at(list, 1), "scope"), "r.io/team"));
    ck_assert_uint_eq(node_get(node_at(list, 1), "requirements")->count, 2);
    tree_free(tree);
    buf_free(&text);
    policy_set_free(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_convert");
    TCase *tcase = tcase_create("convert");

    tcase_add_loop_test(tcase, cluster_to_containers, 0, ARRAY_LEN(to_containers));
    tcase_add_loop_test(tcase, containers_to_cluster, 0, ARRAY_LEN(to_cluster));
    tcase_add_test(tcase, both_sides_decide_alike);
    tcase_add_test(tcase, native_requirements_are_exact_or_left_out);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
