/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP Wycheproof: known attacks on signature checks. The vectors are a Debian package
 * (golang-github-c2sp-wycheproof-dev), not part of this tree: the directory is $PG_WYCHEPROOF, else where the package
 * puts it; without it every case passes unseen and says so.
 *
 * Where we are stricter than the vectors: "acceptable" (RSA with the hash's NULL parameter missing) is refused by
 * OpenSSL. Where a vector file's signature form is one that cosign accepts beside DER (two plain numbers of equal
 * length), the p1363 files are run as well.
 */
#include <string.h>
#include <unistd.h>

#include "base/tree.h"
#include "crypto/key.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

static const char PACKAGED[] = "/usr/share/gocode/src/github.com/c2sp/wycheproof/testvectors_v1";

static const struct {
    const char *file;
    struct sig_scheme scheme;
    size_t tests; /* of the package of 2026-06-25; newer ones may have more */
} files[] = {
    {"ecdsa_secp256r1_sha256_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 484},
    {"ecdsa_secp384r1_sha384_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 504},
    {"ecdsa_secp384r1_sha256_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 472},
    {"ecdsa_secp521r1_sha512_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 542},
    {"ecdsa_secp256r1_sha256_p1363_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 262},
    {"ecdsa_secp384r1_sha384_p1363_test.json", {SCHEME_EXACT, DIGEST_SHA384, false}, 1},
    {"ecdsa_secp521r1_sha512_p1363_test.json", {SCHEME_EXACT, DIGEST_SHA512, false}, 1},
    {"rsa_signature_2048_sha256_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 259},
    {"rsa_signature_3072_sha256_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 259},
    {"rsa_signature_4096_sha256_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 258},
    {"rsa_signature_2048_sha512_test.json", {SCHEME_EXACT, DIGEST_SHA512, false}, 259},
    {"rsa_pss_2048_sha256_mgf1_32_test.json", {SCHEME_EXACT, DIGEST_SHA256, true}, 108},
    {"ed25519_test.json", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, 150},
};

static struct buf hex_member(const struct node *test, const char *name)
{
    const struct node *node = node_get(test, name);

    ck_assert_msg(node_is(node, NODE_STRING), "member %s", name);
    return node->text.len > 0 ? vector_hex(node->text) : (struct buf)BUF_INIT(0);
}

static void run_test(const struct pubkey *key, const struct sig_scheme *scheme, const struct node *test)
{
    struct buf message CLEANUP(buf_free) = hex_member(test, "msg");
    struct buf sig CLEANUP(buf_free) = hex_member(test, "sig");
    struct error err = ERROR_INIT;
    bool valid = node_str_is(node_get(test, "result"), "valid");
    struct span id = node_get(test, "tcId")->text;
    struct span comment = node_get(test, "comment")->text;
    bool done = pubkey_verify(key, scheme, buf_as_span(&message), buf_as_span(&sig), &err);

    ck_assert_msg(done == valid, "test %.*s (%.*s): %s", (int)id.len, (const char *)id.ptr, (int)comment.len,
                  (const char *)comment.ptr, done ? "accepted" : err.text);
    if (!done)
        ck_assert(err.reason == REASON_BAD_SIGNATURE || err.reason == REASON_WRONG_KEY);
}

static size_t run_group(const struct node *group, const struct sig_scheme *scheme)
{
    struct buf der CLEANUP(buf_free) = hex_member(group, "publicKeyDer");
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct error err = ERROR_INIT;
    const struct node *tests = node_get(group, "tests");

    ck_assert_msg(pubkey_parse_der(buf_as_span(&der), &key, &err), "key: %s", err.text);
    for (const struct node *test = tests->child; test; test = test->next)
        run_test(key, scheme, test);
    return tests->count;
}

START_TEST(vectors)
{
    const char *folder = secure_getenv("PG_WYCHEPROOF");
    struct buf json CLEANUP(buf_free) = BUF_INIT(VECTOR_MAX_BYTES);
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct error err = ERROR_INIT;
    char path[1024];
    size_t count = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : PACKAGED, files[_i].file);
    if (!vector_read_path(path, &json)) {
        printf("not run: %s is not there\n", path);
        return;
    }
    ck_assert_msg(json_parse(buf_as_span(&json), files[_i].file, TREE_DEFAULT, &tree, &err), "%s", err.text);
    for (const struct node *group = node_get(tree_root(tree), "testGroups")->child; group; group = group->next)
        count += run_group(group, &files[_i].scheme);
    ck_assert_uint_ge(count, files[_i].tests);
    printf("%s: %zu tests\n", files[_i].file, count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_wycheproof");
    TCase *cases = tcase_create("wycheproof");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, vectors, 0, ARRAY_LEN(files));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
