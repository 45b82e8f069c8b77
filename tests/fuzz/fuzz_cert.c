/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates. Whatever parses reads the same again, and without anchors nothing is trusted. */
#include <string.h>

#include "crypto/cert.h"
#include "crypto/sct.h"
#include "tests/fuzz/fuzz.h"

static void check_texts(const struct cert *cert)
{
    FUZZ_CHECK(cert_subject(cert) && cert_serial(cert) && strlen(cert_fingerprint(cert)) == 64);
    for (size_t i = 0; i < cert_san_count(cert); i++)
        FUZZ_CHECK(cert_san(cert, i)->text[0] != '\0');
    for (size_t i = 0; i < CERT_EXTENSIONS; i++)
        for (const char *c = cert_extension(cert, i); c && *c; c++)
            FUZZ_CHECK((unsigned char)*c >= 0x20);
    if (cert_extension(cert, 1) && cert_extension(cert, 8))
        FUZZ_CHECK(strcmp(cert_extension(cert, 1), cert_extension(cert, 8)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(cert_freep) struct cert *cert = NULL, *again = NULL;
    CLEANUP(buf_free) struct buf tbs = BUF_INIT(128 * 1024);
    struct cert_pool nobody = {NULL, 0, NULL, 0};
    struct cert_pool itself;
    struct span list;
    struct error err = ERROR_INIT;

    if (!cert_parse_der(span_of(bytes, len), &cert, &err)) {
        FUZZ_CHECK(!cert && err.reason != REASON_INTERNAL);
        return 0;
    }
    FUZZ_CHECK(cert_parse_der(cert_der(cert), &again, &err) && cert_eq(cert, again));
    check_texts(cert);
    FUZZ_CHECK(!cert_verify_chain(cert, &nobody, CERT_PURPOSE_ANY, cert_not_before(cert), NULL, &err));
    itself = (struct cert_pool){NULL, 0, &cert, 1}; /* as an intermediate it helps nobody, not even itself */
    FUZZ_CHECK(!cert_verify_chain(cert, &itself, CERT_PURPOSE_CODE_SIGNING, cert_not_before(cert), NULL, &err));
    FUZZ_CHECK(!sct_verify(cert, cert, NULL, 0, NULL, &err));
    if (sct_precertificate(cert_der(cert), &tbs, &list, &err))
        FUZZ_CHECK(tbs.len > 0 && tbs.len < len);
    return 0;
}
