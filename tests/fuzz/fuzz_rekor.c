/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of Rekor v1 entries against one signature; legacy bundle annotations. Nothing random matches. */
#include "crypto/init.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/rekor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char key_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb9PLIE3SZ8zGcChVN/U9e2az3dz5\n"
                                  "PhH12X8xWJPig8nPKdMtvHmPdtkAU4stLiLiDeEbXmdGmn1v+9pcRkw3JA==\n"
                                  "-----END PUBLIC KEY-----\n";
    static struct pubkey *key;
    CLEANUP(keep_done) struct keep keep = {0};
    struct log_entry entry = {.body = span_of(bytes, len)}, legacy = {0};
    struct rekor_subject subject = {
        .message = span_str("message"), .payload = span_str("payload"), .envelope = span_str("envelope"),
        .signature = span_str("signature"), .is_legacy = len % 2 == 0, .is_dsse = len % 4 < 2,
    };
    struct error err = ERROR_INIT;

    if (!key)
        FUZZ_CHECK(crypto_init(&err) && pubkey_parse_pem(span_of(key_pem, sizeof(key_pem) - 1), &key, &err));
    subject.key = key;
    if (!rekor_check_body(&keep, &entry, &subject, &err))
        FUZZ_CHECK(err.reason != REASON_INTERNAL && err.reason != REASON_OK);
    if (!logentry_parse_legacy(&keep, span_of(bytes, len), &legacy, &err))
        FUZZ_CHECK(err.reason != REASON_INTERNAL);
    return 0;
}
