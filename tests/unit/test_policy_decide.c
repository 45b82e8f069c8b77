/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions on hand-made claims: one table row per rule, each with its neighbour that must not pass. */
#include "tests/unit/claims_helper.h"
#include "tests/unit/harness.h"

static const struct row rows[] = {
    {"nothing", KEY, "", {{0}}, {{0}}, false, false, REASON_NO_SIGNATURE,
     "policy \"p\", authority \"authority-0\": no signature found in r.io/app"},
    {"good", KEY, "", {{CLAIM}}, {{0}}, true, false, REASON_OK, "policy \"p\", authority \"authority-0\": satisfied"},
    {"wrong key", KEY, "", {{CLAIM, .key = "ed25519.pub"}}, {{0}}, false, false, REASON_WRONG_KEY, NULL},
    {"or", TWO, "", {{CLAIM, .key = "ed25519.pub"}}, {{0}}, true, false, REASON_OK,
     "policy \"p\", authority \"authority-1\": satisfied"},
    {"hash wanted", "    - key: {path: cosign.pub, hashAlgorithm: sha512}\n", "", {{CLAIM}}, {{0}}, false, false,
     REASON_WRONG_KEY, NULL},
    {"hash right", "    - key: {path: cosign.pub, hashAlgorithm: sha512}\n", "", {{CLAIM, .hash = DIGEST_SHA512}},
     {{0}},
     true, false, REASON_OK, NULL},
    /* findings: the furthest one is told */
    {"broken", KEY, "", {{0}}, {{REASON_BAD_SIGNATURE, 0, NULL, "not base64"}}, false, false, REASON_BAD_SIGNATURE,
     "policy \"p\", authority \"authority-0\": not base64"},
    {"look-up failed", KEY, "", {{0}}, {{REASON_FETCH_FAILED, 0, NULL, "r.io: connection refused"}}, false, false,
     REASON_FETCH_FAILED, "policy \"p\", authority \"authority-0\": r.io: connection refused"},
    {"look-up timed out", KEY, "", {{0}}, {{REASON_TIMEOUT, 0, NULL, "r.io: too slow"}}, false, false, REASON_TIMEOUT,
     NULL},
    {"look-up failed besides", KEY, "", {{0}},
     {{REASON_WRONG_KEY, 0, NULL, "signed by another key"}, {REASON_FETCH_FAILED, 0, NULL, "x"}}, false, false,
     REASON_WRONG_KEY, "policy \"p\", authority \"authority-0\": signed by another key (besides, 1 look-up failed)"},
    {"look-up failed elsewhere", KEY, "", {{0}}, {{REASON_FETCH_FAILED, 0, "r.io/other", "x"}}, false, false,
     REASON_NO_SIGNATURE, NULL},
    {"wrong key beats broken", KEY, "", {{0}},
     {{REASON_BAD_SIGNATURE, 0, NULL, "broken"}, {REASON_WRONG_KEY, 0, NULL, "other"}}, false, false, REASON_WRONG_KEY,
     NULL},
    {"a look-up that failed does not spoil a good signature", KEY, "", {{CLAIM}}, {{REASON_FETCH_FAILED, 0, NULL, "x"}},
     true,
     false, REASON_OK, NULL},
    /* annotations */
    {"annotation", PROD, "", {{CLAIM, .annotation_key = "environment", .annotation_value = "production"}}, {{0}}, true,
     false, REASON_OK, NULL},
    {"annotation of another value", PROD, "", {{CLAIM, .annotation_key = "environment", .annotation_value = "staging"}},
     {{0}}, false, false, REASON_ANNOTATION_MISMATCH,
     "policy \"p\", authority \"authority-0\": signature by key 26a3e1ca0712... carries annotation "
     "environment=\"staging\", wanted \"production\""},
    {"annotation absent", PROD, "", {{CLAIM}}, {{0}}, false, false, REASON_ANNOTATION_MISMATCH,
     "policy \"p\", authority \"authority-0\": signature by key 26a3e1ca0712... carries no annotation environment, "
     "wanted "
     "\"production\""},
    {"annotation of other case", PROD, "", {{CLAIM, .annotation_key = "Environment", .annotation_value = "production"}},
     {{0}}, false, false, REASON_ANNOTATION_MISMATCH, NULL},
    {"annotation value of other case", PROD, "",
     {{CLAIM, .annotation_key = "environment", .annotation_value = "Production"}}, {{0}}, false, false,
     REASON_ANNOTATION_MISMATCH, NULL},
    {"a number is no text", "    - key: {path: cosign.pub}\n      annotations: {build: \"42\"}\n", "",
     {{CLAIM, .annotation_key = "build", .annotation_value = "42", .annotation_number = true}}, {{0}}, false, false,
     REASON_ANNOTATION_MISMATCH, NULL},
    {"extra annotations are ignored", PROD, "",
     {{CLAIM, .annotation_key = "environment", .annotation_value = "production", .second_key = "x",
     .second_value = "y"}},
     {{0}}, true, false, REASON_OK, NULL},
    {"both on one signature", BOTH, "",
     {{CLAIM, .annotation_key = "environment", .annotation_value = "production", .second_key = "repo",
     .second_value = "a/b"}},
     {{0}}, true, false, REASON_OK, NULL},
    {"one on each of two signatures", BOTH, "",
     {{CLAIM, .annotation_key = "environment", .annotation_value = "production"},
      {CLAIM, .annotation_key = "repo", .annotation_value = "a/b"}},
     {{0}}, false, false, REASON_ANNOTATION_MISMATCH, NULL},
    {"right annotations by the wrong key", PROD, "",
     {{CLAIM, .key = "ed25519.pub", .annotation_key = "environment", .annotation_value = "production"}}, {{0}}, false,
     false,
     REASON_WRONG_KEY, NULL},
    {"annotations in a bundle", PROD, "",
     {{CLAIM, .layout = LAYOUT_BUNDLE, .type = SIGN, .annotation_key = "environment",
     .annotation_value = "production"}},
     {{0}}, true, false, REASON_OK, NULL},
    {"mismatch is told before wrong key", PROD, "", {{CLAIM, .key = "ed25519.pub"}, {CLAIM}}, {{0}}, false, false,
     REASON_ANNOTATION_MISMATCH, NULL},
    /* static */
    {"static pass", "    - static: {action: pass}\n", "", {{0}}, {{0}}, true, false, REASON_STATIC_PASS,
     "policy \"p\", authority \"authority-0\": passes without a signature (static: pass)"},
    {"static fail", "    - static: {action: fail, message: \"not here\"}\n", "", {{CLAIM}}, {{0}}, false, false,
     REASON_STATIC_FAIL, "policy \"p\", authority \"authority-0\": not here"},
    {"static pass or key, signed", "    - static: {action: pass}\n" KEY, "", {{CLAIM}}, {{0}}, true, false, REASON_OK,
     NULL},
    {"static pass or key, unsigned", "    - static: {action: pass}\n" KEY, "", {{0}}, {{0}}, true, false,
     REASON_STATIC_PASS,
     NULL},
    {"static fail or key", "    - static: {action: fail}\n" KEY, "", {{CLAIM}}, {{0}}, true, false, REASON_OK, NULL},
    /* source */
    {"source", KEY "      source: [{oci: s.io/sigs}]\n", "", {{CLAIM, .repository = "s.io/sigs"}}, {{0}}, true, false,
     REASON_OK, NULL},
    {"source, found beside the image", KEY "      source: [{oci: s.io/sigs}]\n", "", {{CLAIM}}, {{0}}, false, false,
     REASON_NO_SIGNATURE, "policy \"p\", authority \"authority-0\": no signature found in s.io/sigs"},
    {"prefix", KEY "      source: [{tagPrefix: x}]\n", "", {{CLAIM, .prefix = "x"}}, {{0}}, true, false, REASON_OK,
     NULL},
    {"prefix, found without", KEY "      source: [{tagPrefix: x}]\n", "", {{CLAIM}}, {{0}}, false, false,
     REASON_NO_SIGNATURE, NULL},
    {"prefix says nothing about referrers", KEY "      source: [{tagPrefix: x}]\n", "",
     {{CLAIM, .layout = LAYOUT_BUNDLE, .type = SIGN}}, {{0}}, true, false, REASON_OK, NULL},
    /* layouts and types: trap 6, CVE-2022-35930 */
    {"bundle wanted", KEY "      signatureFormat: bundle\n", "", {{CLAIM}}, {{0}}, false, false, REASON_NO_SIGNATURE,
     NULL},
    {"legacy wanted", KEY "      signatureFormat: legacy\n", "", {{CLAIM, .layout = LAYOUT_BUNDLE, .type = SIGN}},
     {{0}},
     false, false, REASON_NO_SIGNATURE, NULL},
    {"an attestation is no signature", KEY, "",
     {{CLAIM, .kind = CLAIM_ATTESTATION, .layout = LAYOUT_BUNDLE, .type = SPDX}}, {{0}}, false, false,
     REASON_NO_SIGNATURE, NULL},
    {"a bundle of another type called signature is none", KEY, "", {{CLAIM, .layout = LAYOUT_BUNDLE, .type = SPDX}},
     {{0}},
     false, false, REASON_NO_SIGNATURE, NULL},
    {"attested", ATTESTED, "", {{CLAIM, .kind = CLAIM_ATTESTATION, .type = SPDX}}, {{0}}, true, false, REASON_OK, NULL},
    {"attested with another type", ATTESTED, "", {{CLAIM, .kind = CLAIM_ATTESTATION, .type = SLSA}}, {{0}}, false,
     false,
     REASON_NO_ATTESTATION,
     "policy \"p\", authority \"authority-0\": no attestation of type https://spdx.dev/Document found in r.io/app"},
    {"attested by another key", ATTESTED, "", {{CLAIM, .key = "ed25519.pub", .kind = CLAIM_ATTESTATION, .type = SPDX}},
     {{0}}, false, false, REASON_WRONG_KEY, NULL},
    {"a signature is no attestation", ATTESTED, "", {{CLAIM}}, {{0}}, false, false, REASON_NO_ATTESTATION, NULL},
    {"a signature with the type of an attestation is none", ATTESTED, "", {{CLAIM, .type = SPDX}}, {{0}}, false, false,
     REASON_NO_ATTESTATION, NULL},
    {"an attestation without a type is no signature", KEY, "", {{CLAIM, .kind = CLAIM_ATTESTATION}}, {{0}}, false,
     false,
     REASON_NO_SIGNATURE, NULL},
    {"each listed attestation", KEY "      attestations: [{name: a, predicateType: spdx}, {name: b, predicateType: "
     "slsaprovenance1}]\n",
     "", {{CLAIM, .kind = CLAIM_ATTESTATION, .type = SPDX}}, {{0}}, false, false, REASON_NO_ATTESTATION, NULL},
    {"each listed attestation, in any order",
     KEY "      attestations: [{name: a, predicateType: spdx}, {name: b, predicateType: slsaprovenance1}]\n", "",
     {{CLAIM, .kind = CLAIM_ATTESTATION, .type = SLSA}, {CLAIM, .kind = CLAIM_ATTESTATION, .type = SPDX}}, {{0}}, true,
     false,
     REASON_OK, NULL},
    {"one good attestation of a type is enough", ATTESTED, "",
     {{CLAIM, .key = "ed25519.pub", .kind = CLAIM_ATTESTATION, .type = SPDX}, {CLAIM, .kind = CLAIM_ATTESTATION,
     .type = SPDX}},
     {{0}}, true, false, REASON_OK, NULL},
    {"attested, and not signed", ATTESTED "      pullguard: {signedAndAttested: true}\n", "",
     {{CLAIM, .kind = CLAIM_ATTESTATION, .type = SPDX}}, {{0}}, false, false, REASON_NO_SIGNATURE, NULL},
    {"signed, and not attested", ATTESTED "      pullguard: {signedAndAttested: true}\n", "", {{CLAIM}}, {{0}}, false,
     false,
     REASON_NO_ATTESTATION, NULL},
    {"signed and attested", ATTESTED "      pullguard: {signedAndAttested: true}\n", "",
     {{CLAIM}, {CLAIM, .kind = CLAIM_ATTESTATION, .type = SPDX}}, {{0}}, true, false, REASON_OK, NULL},
    /* keyless */
    {"keyless", KEYLESS, "", {{GOOD_CI}}, {{0}}, true, false, REASON_OK, NULL},
    {"keyless by a key", KEYLESS, "", {{CLAIM}}, {{0}}, false, false, REASON_WRONG_IDENTITY, NULL},
    {"key wanted, certificate found", KEY, "", {{GOOD_CI}}, {{0}}, false, false, REASON_WRONG_KEY, NULL},
    {"keyless, other identity", KEYLESS, "", {{CI_BY("https://github.com/evil/b", GH, true)}}, {{0}}, false, false,
     REASON_WRONG_IDENTITY,
     "policy \"p\", authority \"authority-0\": signed by \"https://github.com/evil/b\" from issuer \"" GH
     "\", wanted subject \"" CI "\" from issuer \"" GH "\""},
    {"keyless, other issuer", KEYLESS, "", {{CI_BY(CI, "https://evil.example.com", true)}}, {{0}}, false, false,
     REASON_WRONG_IDENTITY, NULL},
    {"keyless, no issuer", KEYLESS, "", {{CI_BY(CI, NULL, true)}}, {{0}}, false, false, REASON_WRONG_IDENTITY, NULL},
    {"keyless, no issuer, any issuer will do",
     "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: \".*\", subjectRegExp: .}]}\n", "",
     {{CI_BY(CI, NULL, true)}}, {{0}}, true, false, REASON_OK, NULL},
    {"keyless, no issuer, some issuer wanted",
     "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: \".+\", subjectRegExp: .}]}\n", "",
     {{CI_BY(CI, NULL, true)}}, {{0}}, false, false, REASON_WRONG_IDENTITY, NULL},
    {"keyless, regular expression", "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: github, "
     "subjectRegExp: "
                                    "\"^https://github.com/a/\"}]}\n", "", {{GOOD_CI}}, {{0}}, true, false, REASON_OK,
                                    NULL},
    {"keyless, chain", KEYLESS, "", {{GOOD_CI, .chain_bad = true}}, {{0}}, false, false, REASON_UNTRUSTED_CHAIN, NULL},
    {"keyless, other root", KEYLESS, "", {{GOOD_CI, .root = 1}}, {{0}}, false, false, REASON_UNTRUSTED_CHAIN, NULL},
    {"keyless, other root, valid now", KEYLESS "      pullguard: {insecureIgnoreTlog: true}\n", "",
     {{CI_BY(CI, GH, false), .root = 1, .chain_at_now = true}}, {{0}}, false, false, REASON_UNTRUSTED_CHAIN, NULL},
    {"keyless, SCT", KEYLESS, "", {{GOOD_CI, .sct_bad = true}}, {{0}}, false, false, REASON_UNTRUSTED_CHAIN, NULL},
    {"keyless, SCT ignored", "    - keyless: {trustRootRef: mock, insecureIgnoreSCT: true, identities: [{issuerRegExp: "
     "., "
                             "subjectRegExp: .}]}\n", "", {{GOOD_CI, .sct_bad = true}}, {{0}}, true, false, REASON_OK,
                             NULL},
    {"keyless, not logged", KEYLESS, "", {{CI_BY(CI, GH, false), .chain_at_now = true}}, {{0}}, false, false,
     REASON_NO_LOG_ENTRY, NULL},
    {"keyless, log ignored", KEYLESS "      pullguard: {insecureIgnoreTlog: true}\n", "",
     {{CI_BY(CI, GH, false), .chain_at_now = true}}, {{0}}, true, false, REASON_OK, NULL},
    {"keyless, log ignored, certificate not valid now", KEYLESS "      pullguard: {insecureIgnoreTlog: true}\n", "",
     {{CI_BY(CI, GH, false), .chain_at_now = true, .chain_bad = true}}, {{0}}, false, false, REASON_UNTRUSTED_CHAIN,
     NULL},
    {"keyless, log ignored, age wanted", KEYLESS "      pullguard: {insecureIgnoreTlog: true, maxAge: 30d}\n", "",
     {{CI_BY(CI, GH, false), .chain_at_now = true}}, {{0}}, false, false, REASON_NO_TIMESTAMP, NULL},
    {"keyless, logged without a time", KEYLESS, "", {{GOOD_CI, .chain_at_now = true, .log_timeless = true}}, {{0}},
     false, false,
     REASON_NO_TIMESTAMP, NULL},
    {"keyless, logged without a time, with a timestamp", KEYLESS, "",
     {{GOOD_CI, .log_timeless = true, .tsa = true}}, {{0}}, true, false, REASON_OK, NULL},
    {"keyless, entry not proven", KEYLESS, "", {{GOOD_CI, .log_unproven = true}}, {{0}}, false, false,
     REASON_NO_LOG_ENTRY, NULL},
#define WORKFLOW "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: ., subjectRegExp: ., pullguard: " \
                 "{githubWorkflowRepository: a/b}}]}\n"
    {"keyless, workflow", WORKFLOW, "", {{GOOD_CI, .workflow_repository = "a/b"}}, {{0}}, true, false, REASON_OK, NULL},
    {"keyless, other workflow", WORKFLOW, "", {{GOOD_CI, .workflow_repository = "a/c"}}, {{0}}, false, false,
     REASON_WRONG_IDENTITY, NULL},
    {"keyless, no workflow", WORKFLOW, "", {{GOOD_CI}}, {{0}}, false, false, REASON_WRONG_IDENTITY, NULL},
    {"keyless, timestamp instead of log", KEYLESS "      rfc3161timestamp: {trustRootRef: mock}\n", "",
     {{CI_BY(CI, GH, false), .tsa = true}}, {{0}}, true, false, REASON_OK, NULL},
    {"keyless, timestamp wanted", KEYLESS "      rfc3161timestamp: {trustRootRef: mock}\n", "", {{GOOD_CI}}, {{0}},
     false,
     false, REASON_NO_TIMESTAMP, NULL},
    {"keyless, both wanted", KEYLESS "      rfc3161timestamp: {trustRootRef: mock}\n      ctlog: {trustRootRef: "
     "mock}\n", "",
     {{CI_BY(CI, GH, false), .tsa = true}}, {{0}}, false, false, REASON_NO_LOG_ENTRY, NULL},
    /* proofs for keys */
    {"ctlog wants an entry", KEY "      ctlog: {trustRootRef: mock}\n", "", {{CLAIM}}, {{0}}, false, false,
     REASON_NO_LOG_ENTRY, NULL},
    {"ctlog satisfied", KEY "      ctlog: {trustRootRef: mock}\n", "", {{CLAIM, .log = true}}, {{0}}, true, false,
     REASON_OK, NULL},
    {"ctlog of another root", KEY "      ctlog: {trustRootRef: mock}\n", "", {{CLAIM, .log = true, .root = 1}}, {{0}},
     false,
     false, REASON_NO_LOG_ENTRY, NULL},
    {"timestamp wanted", KEY "      rfc3161timestamp: {trustRootRef: mock}\n", "", {{CLAIM, .log = true}}, {{0}}, false,
     false,
     REASON_NO_TIMESTAMP, NULL},
    {"timestamp of another root", KEY "      rfc3161timestamp: {trustRootRef: mock}\n", "",
     {{CLAIM, .tsa = true, .root = 1}}, {{0}}, false, false, REASON_NO_TIMESTAMP, NULL},
    {"timestamp satisfied", KEY "      rfc3161timestamp: {trustRootRef: mock}\n", "", {{CLAIM, .tsa = true}}, {{0}},
     true,
     false, REASON_OK, NULL},
    /* maxAge */
    {"young enough", KEY "      ctlog: {trustRootRef: mock}\n      pullguard: {maxAge: 30d}\n", "",
     {{CLAIM, .log = true, .age = 30 * DAY}}, {{0}}, true, false, REASON_OK, NULL},
    {"a second too old", KEY "      ctlog: {trustRootRef: mock}\n      pullguard: {maxAge: 30d}\n", "",
     {{CLAIM, .log = true, .age = 30 * DAY + 1}}, {{0}}, false, false, REASON_EXPIRED, NULL},
    {"from the future", KEY "      ctlog: {trustRootRef: mock}\n      pullguard: {maxAge: 30d}\n", "",
     {{CLAIM, .log = true, .age = -301}}, {{0}}, false, false, REASON_EXPIRED, NULL},
    {"the earliest time counts", KEYLESS "      pullguard: {maxAge: 30d}\n", "",
     {{GOOD_CI, .tsa = true, .age = 31 * DAY, .tsa_age = DAY}}, {{0}}, false, false, REASON_EXPIRED, NULL},
    {"the earliest time counts, whichever kind", KEYLESS "      pullguard: {maxAge: 30d}\n", "",
     {{GOOD_CI, .tsa = true, .age = DAY, .tsa_age = 31 * DAY}}, {{0}}, false, false, REASON_EXPIRED, NULL},
    {"a timestamp is no time for an authority that names only a log",
     KEY "      ctlog: {trustRootRef: mock}\n      pullguard: {maxAge: 30d}\n", "",
     {{CLAIM, .log = true, .tsa = true, .age = DAY, .tsa_age = 31 * DAY}}, {{0}}, true, false, REASON_OK, NULL},
    /* validity */
    {"not after, no trusted time: now counts", KEY "      pullguard: {notAfter: \"2026-11-23T17:59:59Z\"}\n", "",
     {{CLAIM, .log = true, .age = DAY}}, {{0}}, false, false, REASON_EXPIRED, NULL},
    {"not after, last second", KEY "      pullguard: {notAfter: \"2026-11-23T18:00:00Z\"}\n", "", {{CLAIM}}, {{0}},
     true,
     false, REASON_OK, NULL},
    {"not before", KEY "      pullguard: {notBefore: \"2026-11-23T18:00:01Z\"}\n", "", {{CLAIM}}, {{0}}, false, false,
     REASON_EXPIRED, NULL},
    {"retired key, signed while it was valid",
     KEY "      ctlog: {trustRootRef: mock}\n      pullguard: {notAfter: \"2026-11-01T00:00:00Z\"}\n", "",
     {{CLAIM, .log = true, .age = 30 * DAY}}, {{0}}, true, false, REASON_OK, NULL},
    {"retired key, signed later",
     KEY "      ctlog: {trustRootRef: mock}\n      pullguard: {notAfter: \"2026-11-01T00:00:00Z\"}\n", "",
     {{CLAIM, .log = true, .age = 10 * DAY}}, {{0}}, false, false, REASON_EXPIRED, NULL},
    /* identity: the signed docker-reference */
    {"reference any", KEY, "", {{CLAIM, .reference = "other.io/app"}}, {{0}}, true, false, REASON_OK, NULL},
    {"reference repository", KEY "      pullguard: {identity: repository}\n", "", {{CLAIM, .reference = "r.io/app"}},
     {{0}},
     true, false, REASON_OK, NULL},
    {"reference of another repository", KEY "      pullguard: {identity: repository}\n", "",
     {{CLAIM, .reference = "r.io/other"}}, {{0}}, false, false, REASON_IDENTITY_MISMATCH,
     "policy \"p\", authority \"authority-0\": the signature is for \"r.io/other\", wanted r.io/app"},
    {"reference absent", KEY "      pullguard: {identity: repository}\n", "",
     {{CLAIM, .layout = LAYOUT_BUNDLE, .type = SIGN}}, {{0}}, false, false, REASON_IDENTITY_MISMATCH, NULL},
    {"reference exact", KEY "      pullguard: {identity: exact}\n", "", {{CLAIM, .reference = "r.io/app:v1"}}, {{0}},
     true,
     false, REASON_OK, NULL},
    {"reference exact, other tag", KEY "      pullguard: {identity: exact}\n", "", {{CLAIM,
     .reference = "r.io/app:v2"}},
     {{0}}, false, false, REASON_IDENTITY_MISMATCH, NULL},
    {"reference exact, repository only", KEY "      pullguard: {identity: exact}\n", "", {{CLAIM,
     .reference = "r.io/app"}},
     {{0}}, false, false, REASON_IDENTITY_MISMATCH, NULL},
    {"reference exact by digest", KEY "      pullguard: {identity: exact}\n", "",
     {{CLAIM, .reference = "r.io/app@" TEST_DIGEST}}, {{0}}, true, false, REASON_OK, NULL},
    /* revocation */
    {"revoked digest", KEY, "  pullguard: {revoked: {digests: [\"" TEST_DIGEST "\"]}}\n", {{CLAIM}}, {{0}}, false,
     false,
     REASON_REVOKED, "policy \"p\": the image " TEST_DIGEST " is revoked"},
    {"revoked digest in warn mode", KEY, "  mode: warn\n  pullguard: {revoked: {digests: [\"" TEST_DIGEST "\"]}}\n",
     {{CLAIM}}, {{0}}, false, false, REASON_REVOKED, NULL},
    {"revoked digest, static pass", "    - static: {action: pass}\n",
     "  pullguard: {revoked: {digests: [\"" TEST_DIGEST "\"]}}\n", {{0}}, {{0}}, false, false, REASON_REVOKED, NULL},
    {"revoked certificate", KEYLESS, "  pullguard: {revoked: {certificates: [\"0A:BC:1\"]}}\n",
     {{GOOD_CI, .serial = "abc1"}}, {{0}}, false, false, REASON_REVOKED, NULL},
#define COSIGN_PUB "26a3e1ca0712b73dcb7f401f49ddc859ae2b68653e4694cfd2e15363d714bf7c"
#define REVOKED_KEY "  pullguard: {revoked: {keys: [\"" COSIGN_PUB "\"]}}\n"
    {"revoked key in a certificate", KEYLESS, REVOKED_KEY,
     {{GOOD_CI, .key = "cosign.pub"}}, {{0}}, false, false, REASON_REVOKED,
     "policy \"p\", authority \"authority-0\": the key 26a3e1ca0712... of the signing certificate is revoked"},
    {"the same identity with another key", KEYLESS, REVOKED_KEY,
     {{GOOD_CI, .key = "ed25519.pub"}}, {{0}}, true, false, REASON_OK, NULL},
    {"revoked certificate by its fingerprint", KEYLESS,
     "  pullguard: {revoked: {certificates: [\"SHA256:" CERTIFICATE_FINGERPRINT "\"]}}\n", {{GOOD_CI}}, {{0}}, false,
     false, REASON_REVOKED, NULL},
    {"another certificate is revoked", KEYLESS, "  pullguard: {revoked: {certificates: [\"0A:BC:2\"]}}\n",
     {{GOOD_CI, .serial = "abc1"}}, {{0}}, true, false, REASON_OK, NULL},
    /* warn mode */
    {"warn", KEY, "  mode: warn\n", {{0}}, {{0}}, true, true, REASON_WARN_MODE,
     "policy \"p\", authority \"authority-0\": no signature found in r.io/app"},
    {"warn, satisfied", KEY, "  mode: warn\n", {{CLAIM}}, {{0}}, true, false, REASON_OK, NULL},
};

START_TEST(decides)
{
    run_row(&rows[_i]);
}
END_TEST

/* A revoked key holds for every policy on the node, also for those that do not say so. */
START_TEST(a_revoked_key_is_revoked_everywhere)
{
    CLEANUP(mem_freep) char *spec = mem_printf("  pullguard: {revoked: {keys: [\"%s\"]}}\n",
    test_fingerprint("cosign.pub"));
    CLEANUP(mem_freep) char *first = document("a", "r.io/**", "", TWO);
    CLEANUP(mem_freep) char *second = document("b", "other.io/**", spec, KEY);
    CLEANUP(mem_freep) char *both = mem_printf("%s---\n%s", first, second);
    struct policy_set *set = test_load(both);
    struct policy_image image = test_image("r.io", "app", "v1");
    struct row row = {.claims = {{CLAIM}}};
    struct claims claims = make_claims(&row);
    struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

    ck_assert(!out.satisfied);
    ck_assert_int_eq(out.reason, REASON_REVOKED);
    mem_free(out.report);
    free_claims(&claims);
    /* A good signature by another key of the policy still counts. */
    row.claims[1] = (struct made){CLAIM, .key = "ed25519.pub"};
    claims = make_claims(&row);
    out = test_decide(set, &image, &claims, NO_MATCH_DENY);
    ck_assert(out.satisfied);
    mem_free(out.report);
    free_claims(&claims);
    policy_set_free(set);
}
END_TEST

/* AND over the policies that match: also one in warn mode beside one that enforces. */
START_TEST(every_matching_policy_must_be_satisfied)
{
    static const struct {
        const char *second_glob, *second_spec, *second_authority;
        bool satisfied, warned;
        enum reason reason;
        const char *policy;
    } table[] = {
        {"r.io/**", "", "    - key: {path: ed25519.pub}\n", false, false, REASON_WRONG_KEY, "b"},
        {"other.io/**", "", "    - key: {path: ed25519.pub}\n", true, false, REASON_OK, "a"},
        {"r.io/**", "  mode: warn\n", "    - key: {path: ed25519.pub}\n", true, true, REASON_WARN_MODE, "b"},
        {"r.io/**", "", "    - static: {action: pass}\n", true, false, REASON_OK, "a"},
        {"r.io/**", "", "    - static: {action: fail}\n", false, false, REASON_STATIC_FAIL, "b"},
        {"r.io/**", "", KEY, true, false, REASON_OK, NULL}, /* the first of the two */
    };

    for (size_t n = 0; n < 2 * ARRAY_LEN(table); n++) {
        size_t i = n / 2; /* in this order and in the other: who comes last decides nothing */
        CLEANUP(mem_freep) char *first = document("a", "r.io/**", "", KEY);
        CLEANUP(mem_freep) char *second = document("b", table[i].second_glob, table[i].second_spec,
        table[i].second_authority);
        CLEANUP(mem_freep) char *both = n % 2 == 0 ? mem_printf("%s---\n%s", first, second)
                                                   : mem_printf("%s---\n%s", second, first);
        struct policy_set *set = test_load(both);
        struct policy_image image = test_image("r.io", "app", "v1");
        struct row row = {.claims = {{CLAIM}}};
        struct claims claims = make_claims(&row);
        struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

        ck_assert_msg(out.satisfied == table[i].satisfied, "%zu: %s", i, out.message);
        ck_assert_int_eq(out.warned, table[i].warned);
        ck_assert_int_eq(out.reason, table[i].reason);
        ck_assert_str_eq(out.policy, table[i].policy != NULL ? table[i].policy : n % 2 == 0 ? "a" : "b");
        mem_free(out.report);
        free_claims(&claims);
        policy_set_free(set);
    }
}
END_TEST

/* A policy that only warns, after one that fails: still a failure, and that one is told. */
START_TEST(a_warning_does_not_undo_a_failure)
{
    for (int order = 0; order < 2; order++) {
        CLEANUP(mem_freep) char *first = document("a", "r.io/**", order == 0 ? "" : "  mode: warn\n", KEY);
        CLEANUP(mem_freep) char *second = document("b", "r.io/**", order == 0 ? "  mode: warn\n" : "", KEY);
        CLEANUP(mem_freep) char *both = mem_printf("%s---\n%s", first, second);
        struct policy_set *set = test_load(both);
        struct policy_image image = test_image("r.io", "app", "v1");
        struct claims claims = {0};
        struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

        ck_assert(!out.satisfied && !out.warned);
        ck_assert_int_eq(out.reason, REASON_NO_SIGNATURE);
        ck_assert_str_eq(out.policy, order == 0 ? "a" : "b");
        mem_free(out.report);
        policy_set_free(set);
    }
}
END_TEST

START_TEST(conditions_are_asked)
{
    CLEANUP(mem_freep) char *yaml = document("p", "r.io/**", "",
                          KEY "      attestations:\n        - name: built\n          predicateType: slsaprovenance1\n"
                              "          pullguard: {conditions: [{path: predicate.builder, equals: \"x\"}]}\n");
    static const char *const statements[] = {"{\"predicate\":{\"builder\":\"y\"}}",
    "{\"predicate\":{\"builder\":\"x\"}}"};
    struct policy_set *set = test_load(yaml);
    struct policy_image image = test_image("r.io", "app", "v1");

    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        struct row row = {.claims = {{CLAIM, .kind = CLAIM_ATTESTATION, .type = SLSA}}};
        struct claims claims = make_claims(&row);
        struct tree *tree = NULL;
        struct error err = ERROR_INIT;
        struct test_outcome out;

        ck_assert(json_parse(span_str(statements[i]), "statement", TREE_NO_PLACES, &tree, &err));
        claims.items[0].statement = tree_root(tree);
        out = test_decide(set, &image, &claims, NO_MATCH_DENY);
        ck_assert_int_eq(out.satisfied, i == 1);
        ck_assert_int_eq(out.reason, i == 1 ? REASON_OK : REASON_ATTESTATION_CONDITION);
        if (i == 0)
            ck_assert_str_eq(out.message, "policy \"p\", authority \"authority-0\": attestation \"built\": "
            "predicate.builder: "
                                          "wanted equals x, found string \"y\"");
        mem_free(out.report);
        free_claims(&claims);
        tree_free(tree);
    }
    policy_set_free(set);
}
END_TEST

START_TEST(no_match_is_what_the_settings_say)
{
    static const struct {
        enum no_match setting;
        bool satisfied, warned;
        enum reason reason;
    } table[] = {{NO_MATCH_DENY, false, false, REASON_NO_MATCH},
                 {NO_MATCH_WARN, true, true, REASON_NO_MATCH_ALLOWED},
                 {NO_MATCH_ALLOW, true, false, REASON_NO_MATCH_ALLOWED}};
    CLEANUP(mem_freep) char *yaml = document("p", "r.io/app:*", "", KEY);
    struct policy_set *set = test_load(yaml), *empty = policy_set_new();
    struct policy_image image = test_image("q.io", "app", "v1");
    struct claims claims = {0};

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct test_outcome out = test_decide(set, &image, &claims, table[i].setting);

        ck_assert_int_eq(out.satisfied, table[i].satisfied);
        ck_assert_int_eq(out.warned, table[i].warned);
        ck_assert_int_eq(out.reason, table[i].reason);
        ck_assert_str_eq(out.message, "no policy matches q.io/app:v1");
        mem_free(out.report);
        out = test_decide(empty, &image, &claims, table[i].setting);
        ck_assert_int_eq(out.satisfied, table[i].satisfied);
        mem_free(out.report);
    }
    image = test_image("r.io", "app", NULL);
    {
        struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

        ck_assert_str_eq(out.message, "no policy matches r.io/app; glob \"r.io/app:*\" of policy \"p\" wants a tag, "
        "and this "
                                      "pull has none");
        mem_free(out.report);
    }
    policy_set_free(set);
    policy_set_free(empty);
}
END_TEST

/* Claims number their roots by needs. */
START_TEST(roots_are_numbered_by_the_needs)
{
    CLEANUP(mem_freep) char *first = document("a", "other.io/**", "",
    "    - keyless: {trustRootRef: second, identities: [{issuer: i, "
    "subject: s}]}\n");
    CLEANUP(mem_freep) char *second = document("b", "r.io/**", "", KEYLESS);
    CLEANUP(mem_freep) char *both = mem_printf("%s---\n%s", first, second);
    struct policy_set *set = test_load(both);
    struct policy_image image = test_image("r.io", "app", "v1");
    struct row row = {.claims = {{GOOD_CI}}}; /* root 0 = "mock", though it is number 1 of the set */
    struct claims claims = make_claims(&row);
    struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

    ck_assert_msg(out.satisfied, "%s", out.message);
    ck_assert_str_eq(out.key_id, GH " " CI);
    mem_free(out.report);
    free_claims(&claims);
    policy_set_free(set);
}
END_TEST

START_TEST(the_report_tells_everything)
{
    CLEANUP(mem_freep) char *yaml = document("p", "r.io/**", "", TWO);
    struct policy_set *set = test_load(yaml);
    struct policy_image image = test_image("r.io", "app", "v1");
    struct row row = {.claims = {{CLAIM, .annotation_key = "a\"", .annotation_value = "b"}, {GOOD_CI}},
                      .findings = {{REASON_MALFORMED, 0, NULL, "odd"}}};
    struct claims claims = make_claims(&row);
    struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *root, *policy, *authority;

    ck_assert_msg(json_parse(span_str(out.report), "report", TREE_DEFAULT, &tree, &err), "%s: %s", err.text,
    out.report);
    root = tree_root(tree);
    ck_assert(node_str_is(node_get(node_get(root, "image"), "name"), "r.io/app"));
    ck_assert(node_str_is(node_get(root, "reason"), "ok"));
    policy = node_at(node_get(root, "policies"), 0);
    ck_assert(node_str_is(node_get(policy, "glob"), "r.io/**"));
    ck_assert_uint_eq(node_get(policy, "authorities")->count, 2);
    authority = node_at(node_get(policy, "authorities"), 1);
    ck_assert(node_str_is(node_get(authority, "reason"), "wrong_key"));
    ck_assert_uint_eq(node_get(authority, "claims")->count, 2);
    ck_assert_uint_eq(node_get(root, "claims")->count, 2);
    ck_assert(node_str_is(node_get(node_at(node_get(root, "claims"), 0), "payload"), "e30="));
    ck_assert(node_str_is(node_get(node_get(node_at(node_get(root, "claims"), 0), "annotations"), "a\""), "b"));
    ck_assert(node_str_is(node_get(node_get(node_at(node_get(root, "claims"), 1), "signer"), "identity"), CI));
    ck_assert(node_str_is(node_get(node_at(node_get(root, "findings"), 0), "message"), "odd"));
    tree_free(tree);
    mem_free(out.report);
    free_claims(&claims);
    policy_set_free(set);
}
END_TEST

/* A log or timestamp under another root than the certificate's: the chain must hold at that root's times too. */
START_TEST(the_chain_holds_at_every_time_that_counts)
{
    static const struct {
        bool at_log, at_tsa, chain_verified;
        const char *more;
        enum reason reason;
    } table[] = {
        /* time 0: log of root 0 (mock, the chain's own); time 1: timestamp of root 1 (second) */
        {true, true, true, "", REASON_OK},
        {true, false, true, "", REASON_OK}, /* "second" is not named, so its time does not count */
        {false, true, false, "", REASON_UNTRUSTED_CHAIN},
        {true, true, true, "      rfc3161timestamp: {trustRootRef: second}\n", REASON_OK},
        {true, false, true, "      rfc3161timestamp: {trustRootRef: second}\n", REASON_UNTRUSTED_CHAIN},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        CLEANUP(mem_freep) char *authority = mem_printf("%s%s    - name: other\n      key: {path: ed25519.pub}\n      "
        "ctlog: "
        "{trustRootRef: second}\n",
                                     KEYLESS, table[i].more);
        CLEANUP(mem_freep) char *yaml = document("p", "r.io/**", "", authority);
        struct policy_set *set = test_load(yaml);
        struct policy_image image = test_image("r.io", "app", "v1");
        struct row row = {.claims = {{GOOD_CI, .tsa = true}}};
        struct claims claims = make_claims(&row);
        bool valid_at[2] = {table[i].at_log, table[i].at_tsa};
        struct claim_chain *chain = &claims.items[0].certificate->chains[0];
        struct test_outcome out;

        claims.items[0].times[1].root = 1;
        chain->valid_at = valid_at;
        chain->chain_verified = table[i].chain_verified;
        out = test_decide(set, &image, &claims, NO_MATCH_DENY);
        ck_assert_msg(out.reason == table[i].reason, "%zu: %s", i, out.message);
        mem_free(out.report);
        free_claims(&claims);
        policy_set_free(set);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_decide");
    TCase *tcase = tcase_create("decide");

    tcase_add_loop_test(tcase, decides, 0, ARRAY_LEN(rows));
    tcase_add_test(tcase, a_revoked_key_is_revoked_everywhere);
    tcase_add_test(tcase, every_matching_policy_must_be_satisfied);
    tcase_add_test(tcase, a_warning_does_not_undo_a_failure);
    tcase_add_test(tcase, conditions_are_asked);
    tcase_add_test(tcase, no_match_is_what_the_settings_say);
    tcase_add_test(tcase, roots_are_numbered_by_the_needs);
    tcase_add_test(tcase, the_report_tells_everything);
    tcase_add_test(tcase, the_chain_holds_at_every_time_that_counts);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
