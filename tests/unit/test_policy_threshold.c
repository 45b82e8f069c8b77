/* SPDX-License-Identifier: Apache-2.0 */
/* Who is one signer, which entries he stands for, and how many that makes. */
#include "tests/unit/claims_helper.h"
#include "tests/unit/harness.h"

static const struct row rows[] = {
#define TWO_OF_THREE KEY "      pullguard:\n        keys: [{name: b, path: ed25519.pub}, {name: c, path: " \
    "secp384r1.pub}]\n        threshold: 2\n"
    {"one of two wanted", TWO_OF_THREE, "", {{CLAIM}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"authority-0\": signed by 1 of 2 distinct signers wanted"},
    {"one key twice is one", TWO_OF_THREE, "", {{CLAIM}, {CLAIM}}, {{0}}, false, false, REASON_THRESHOLD, NULL},
    {"two keys", TWO_OF_THREE, "", {{CLAIM}, {CLAIM, .key = "secp384r1.pub"}}, {{0}}, true, false, REASON_OK, NULL},
    {"two keys, one foreign", TWO_OF_THREE, "", {{CLAIM}, {CLAIM, .key = "rsa2048.pub"}}, {{0}}, false, false,
     REASON_THRESHOLD, NULL},
    {"required missing", TWO_OF_THREE "        required: [b]\n", "", {{CLAIM}, {CLAIM, .key = "secp384r1.pub"}}, {{0}},
     false,
     false, REASON_THRESHOLD, "policy \"p\", authority \"authority-0\": not signed by \"b\", who is required"},
    {"required present", TWO_OF_THREE "        required: [b]\n", "", {{CLAIM}, {CLAIM, .key = "ed25519.pub"}}, {{0}},
     true,
     false, REASON_OK, NULL},
    {"one identity that fits two entries is one",
     "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: ., subjectRegExp: .}, {issuerRegExp: ., "
     "subjectRegExp: "
     "github}]}\n      pullguard: {threshold: 2}\n", "", {{GOOD_CI}, {GOOD_CI}}, {{0}}, false, false, REASON_THRESHOLD,
     NULL},
    {"two identities that fit one entry are one",
     "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: ., subjectRegExp: github}, {issuer: x, subject: "
     "y}]}\n"
     "      pullguard: {threshold: 2}\n", "", {{GOOD_CI}, {CI_BY("https://github.com/a/c", GH, true)}}, {{0}}, false,
     false, REASON_THRESHOLD, NULL},
#define TWO_IDENTITIES "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: ., subjectRegExp: github, " \
    "pullguard: {name: any}}, {issuer: \"" GH "\", subject: \"" CI "\", pullguard: {name: ci}}]}\n"
#define OTHER_CI CI_BY("https://github.com/a/c", GH, true)
    {"an identity stands with every entry that it fits", TWO_IDENTITIES "      pullguard: {threshold: 2}\n", "",
     {{GOOD_CI}, {OTHER_CI}}, {{0}}, true, false, REASON_OK, NULL},
    {"the same, the other way round", TWO_IDENTITIES "      pullguard: {threshold: 2}\n", "",
     {{OTHER_CI}, {GOOD_CI}}, {{0}}, true, false, REASON_OK, NULL},
    {"but once only", TWO_IDENTITIES "      pullguard: {threshold: 2}\n", "", {{GOOD_CI}, {GOOD_CI}}, {{0}}, false,
     false, REASON_THRESHOLD, "policy \"p\", authority \"authority-0\": signed by 1 of 2 distinct signers wanted"},
    {"a required identity behind a wider one", TWO_IDENTITIES "      pullguard: {required: [ci]}\n", "", {{GOOD_CI}},
     {{0}}, true, false, REASON_OK, NULL},
    {"a required identity that another's signature does not fit", TWO_IDENTITIES
     "      pullguard: {required: [ci]}\n", "", {{OTHER_CI}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"authority-0\": not signed by \"ci\", who is required"},
    {"one signer for two who are required", TWO_IDENTITIES "      pullguard: {required: [any, ci]}\n", "",
     {{GOOD_CI}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"authority-0\": signed, but one signer cannot stand for two who are required"},
    {"two signers for two who are required", TWO_IDENTITIES "      pullguard: {required: [any, ci]}\n", "",
     {{GOOD_CI}, {OTHER_CI}}, {{0}}, true, false, REASON_OK, NULL},
    {"one key under two identities is one", TWO_IDENTITIES "      pullguard: {threshold: 2}\n", "",
     {{GOOD_CI, .key = "cosign.pub"}, {OTHER_CI, .key = "cosign.pub"}}, {{0}}, false, false, REASON_THRESHOLD, NULL},
    {"one key by itself and in a certificate is one", KEY KEYLESS, "  pullguard: {threshold: 2}\n",
     {{CLAIM}, {GOOD_CI, .key = "cosign.pub"}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"authority-0\": 1 of 2 wanted authorities are satisfied by distinct signers"},
    {"a key and a certificate of another", KEY KEYLESS, "  pullguard: {threshold: 2}\n",
     {{CLAIM}, {GOOD_CI, .key = "ed25519.pub"}}, {{0}}, true, false, REASON_OK, NULL},
    {"one identity joins two keys", TWO KEYLESS, "  pullguard: {threshold: 2}\n",
     {{CLAIM}, {CLAIM, .key = "ed25519.pub"}, {GOOD_CI, .key = "cosign.pub"}, {GOOD_CI, .key = "ed25519.pub"}}, {{0}},
     false, false, REASON_THRESHOLD, NULL},
    {"one signer for two required authorities", KEY KEYLESS, "  pullguard: {required: [authority-0, authority-1]}\n",
     {{CLAIM}, {GOOD_CI, .key = "cosign.pub"}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"authority-0\": one signer cannot stand for two authorities that the policy requires"},
    {"the signer of an authority that is not satisfied is nobody", "    - name: two\n      key: {path: cosign.pub}\n"
     "      pullguard: {keys: [{name: b, path: secp384r1.pub}], threshold: 2}\n    - key: {path: ed25519.pub}\n",
     "  pullguard: {threshold: 2}\n", {{CLAIM}, {CLAIM, .key = "ed25519.pub"}}, {{0}}, false, false, REASON_THRESHOLD,
     NULL},
    {"spec threshold, one key in two authorities", KEY "    - name: again\n      key: {path: cosign.pub}\n",
     "  pullguard: {threshold: 2}\n", {{CLAIM}}, {{0}}, false, false, REASON_THRESHOLD, NULL},
    {"spec threshold", TWO, "  pullguard: {threshold: 2}\n", {{CLAIM}, {CLAIM, .key = "ed25519.pub"}}, {{0}}, true,
     false,
     REASON_OK, NULL},
    {"spec threshold, one of two", TWO, "  pullguard: {threshold: 2}\n", {{CLAIM}}, {{0}}, false, false,
     REASON_THRESHOLD, NULL},
    {"spec required", TWO, "  pullguard: {required: [authority-1]}\n", {{CLAIM}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"authority-1\": not satisfied, and the policy requires it"},
    {"static pass is no signer", "    - name: s\n      static: {action: pass}\n" TWO, "  pullguard: {threshold: 2}\n",
     {{CLAIM}}, {{0}}, false, false, REASON_THRESHOLD, NULL},
    {"static pass without any signer", "    - name: s\n      static: {action: pass}\n" TWO,
     "  pullguard: {threshold: 2}\n", {{0}}, {{0}}, false, false, REASON_THRESHOLD,
     "policy \"p\", authority \"s\": 0 of 2 wanted authorities are satisfied by distinct signers"},
    {"static fail without any signer", "    - name: s\n      static: {action: fail}\n" TWO,
     "  pullguard: {threshold: 2}\n", {{0}}, {{0}}, false, false, REASON_STATIC_FAIL, NULL},
};

START_TEST(counts)
{
    run_row(&rows[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_threshold");
    TCase *tcase = tcase_create("threshold");

    tcase_add_loop_test(tcase, counts, 0, ARRAY_LEN(rows));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
