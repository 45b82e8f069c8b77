/* SPDX-License-Identifier: Apache-2.0 */
/* Public and private keys in PEM and DER. A key that was read is written, and read again as the same key. */
#include "crypto/key.h"
#include "crypto/privkey.h"
#include "tests/fuzz/fuzz.h"

static void check_public(const struct pubkey *key)
{
    CLEANUP(buf_free) struct buf pem = BUF_INIT(128 * 1024);
    CLEANUP(pubkey_freep) struct pubkey *again = NULL;
    struct sig_scheme scheme = {.kind = SCHEME_COSIGN_KEY};
    struct error err = ERROR_INIT;

    pubkey_write_pem(key, &pem);
    FUZZ_CHECK(buf_ok(&pem) && pubkey_parse_pem(buf_as_span(&pem), &again, &err));
    FUZZ_CHECK(pubkey_eq(key, again));
    FUZZ_CHECK(!pubkey_verify(key, &scheme, span_str("message"), pubkey_spki(key), &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(pubkey_freep) struct pubkey *pem = NULL, *der = NULL;
    CLEANUP(privkey_freep) struct privkey *private_pem = NULL, *private_der = NULL;
    struct error err = ERROR_INIT;

    if (pubkey_parse_pem(span_of(bytes, len), &pem, &err))
        check_public(pem);
    else
        FUZZ_CHECK(!pem && err.reason != REASON_INTERNAL);
    if (pubkey_parse_der(span_of(bytes, len), &der, &err))
        check_public(der);
    else
        FUZZ_CHECK(!der && err.reason != REASON_INTERNAL);
    if (privkey_parse_pem(span_of(bytes, len), &private_pem, &err))
        check_public(privkey_public(private_pem));
    if (privkey_parse_pkcs8(span_of(bytes, len), &private_der, &err))
        check_public(privkey_public(private_der));
    return 0;
}
