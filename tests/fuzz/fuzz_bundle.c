/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle against one key, all the way: it gives a claim, or a finding that says why not. */
#include "crypto/init.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/claims.h"
#include "verifier/verify.h"

/* keys/cosign.pub of tests/vectors/cosign-3.1.1: the key of the corpus. */
static const char key_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb9PLIE3SZ8zGcChVN/U9e2az3dz5\n"
                              "PhH12X8xWJPig8nPKdMtvHmPdtkAU4stLiLiDeEbXmdGmn1v+9pcRkw3JA==\n"
                              "-----END PUBLIC KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct pubkey *key;
    const struct verify_file file = {.bundle = span_of(bytes, len)};
    struct verify_artifact artifact = {0};
    struct verify_key anchor;
    struct verify_input input = {.keys = &anchor, .key_count = 1, .now = 1795451700};
    CLEANUP(claims_done) struct claims claims = {0};
    struct error err = ERROR_INIT;

    if (len == 0)
        return 0;
    if (!key)
        FUZZ_CHECK(crypto_init(&err) && pubkey_parse_pem(span_of(key_pem, sizeof(key_pem) - 1), &key, &err));
    anchor = (struct verify_key){key, DIGEST_NONE};
    FUZZ_CHECK(digest_parse(span_str("sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"),
                            &artifact.digest));
    FUZZ_CHECK(verify_file(&input, &file, &artifact, &claims, &err));
    FUZZ_CHECK((claims.count == 1) != (claims.finding_count == 1));
    if (claims.count == 1)
        FUZZ_CHECK(claims.items[0].payload.len > 0 && claims.items[0].log_count == 0 &&
                   claims.items[0].time_count == 0);
    else
        FUZZ_CHECK(claims.findings[0].reason != REASON_INTERNAL && claims.findings[0].reason != REASON_OK);
    return 0;
}
