/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_set_add and everything that reads the set. A first byte '{' makes it JSON. Whatever loads: lint, explain,
 * needs and decisions work on it; without a claim nothing but static, warn mode or no-match can satisfy; a decision has
 * its reason.
 */
#include <string.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "policy/policy.h"
#include "tests/fuzz/fuzz.h"

static bool give_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    (void)context;
    if (name[0] == 'x')
        return error_set(err, REASON_NOT_FOUND, "no such key");
    *ret = (struct buf)BUF_INIT(1000);
    buf_str(ret, "-----BEGIN PUBLIC KEY-----\n"
                 "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb9PLIE3SZ8zGcChVN/U9e2az3dz5\n"
                 "PhH12X8xWJPig8nPKdMtvHmPdtkAU4stLiLiDeEbXmdGmn1v+9pcRkw3JA==\n"
                 "-----END PUBLIC KEY-----\n");
    return true;
}

static bool give_root(void *context, const char *name, struct buf *ret, struct error *err)
{
    (void)context;
    (void)name;
    (void)err;
    *ret = (struct buf)BUF_INIT(100);
    buf_str(ret, "{}");
    return true;
}

static void check_decision(const struct policy_set *set, const struct policy_image *image, const struct claims *claims)
{
    struct policy_needs needs = {0};
    struct policy_decision decision = {0};
    struct error err = ERROR_INIT;

    if (!policy_needs(set, image, &needs, &err)) {
        FUZZ_CHECK(err.reason == REASON_POLICY_ERROR || err.reason == REASON_INTERNAL);
        return;
    }
    FUZZ_CHECK(policy_decide(set, image, claims, &needs, NO_MATCH_DENY, 1795456800, true, &decision, &err));
    FUZZ_CHECK(decision.message != NULL && decision.report != NULL);
    if (decision.satisfied && claims->count == 0)
        FUZZ_CHECK(decision.reason == REASON_STATIC_PASS || decision.reason == REASON_WARN_MODE);
    FUZZ_CHECK(decision.satisfied || (decision.reason != REASON_OK && decision.reason != REASON_STATIC_PASS));
    FUZZ_CHECK(decision.satisfied || !decision.warned);
    policy_decision_done(&decision);
    policy_needs_done(&needs);
}

static void use_set(const struct policy_set *set)
{
    static const char digest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024 * 1024);
    struct json_out out = json_out_to(&text);
    struct policy_image image = {.written = "registry.example.com/team/app:v1", .host = "registry.example.com",
                                 .repository = "team/app", .tag = "v1"};
    struct claim claim = {.kind = CLAIM_SIGNATURE, .layout = LAYOUT_LEGACY, .signer = SIGNER_KEY};
    struct claims claims = {0};
    struct policy_warnings warnings = {0};
    struct error err = ERROR_INIT;
    char repository[] = "registry.example.com/team/app", prefix[] = "";

    FUZZ_CHECK(digest_parse(span_str(digest), &image.digest));
    FUZZ_CHECK(policy_lint(set, &warnings, &err));
    policy_warnings_done(&warnings);
    FUZZ_CHECK(policy_explain(set, &image, &out, &err));
    check_decision(set, &image, &claims);
    claim.place = (struct claim_place){.repository = repository, .tag_prefix = prefix};
    memcpy(claim.key_fingerprint, "26a3e1ca0712", 12);
    claims.items = &claim;
    claims.count = 1;
    claims.image = image.digest;
    check_decision(set, &image, &claims);
    image.tag = NULL;
    check_decision(set, &image, &claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct policy_source source = {.read_key = give_key, .read_trust = give_root};
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    struct error err = ERROR_INIT;
    bool json = len > 0 && bytes[0] == '{';

    FUZZ_CHECK(set != NULL);
    if (policy_set_add(set, json ? "input.json" : "input.yaml", span_of(bytes, len), &source, &err))
        use_set(set);
    else
        FUZZ_CHECK(err.reason == REASON_POLICY_ERROR && err.text[0] != '\0');
    return 0;
}
