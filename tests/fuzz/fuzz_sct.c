/* SPDX-License-Identifier: Apache-2.0 */
/* The SCT list: the input is the extension's value, in a certificate that is made around it. */
#include "crypto/der.h"
#include "crypto/sct.h"
#include "tests/fuzz/fuzz.h"

enum { CERT_BYTES = 128 * 1024 };

static const uint8_t OID_SCT_LIST[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02};
static const uint8_t OID_KEY_USAGE[] = {0x55, 0x1d, 0x0f};
static const uint8_t KEY_USAGE[] = {0x03, 0x02, 0x07, 0x80};
static const uint8_t ALGORITHM[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t ONE[] = {0x01};
static const uint8_t SIGNATURE[] = {0x00, 0x00};
static const char TIME[] = "261123163427Z";

static void put_extension(struct buf *list, struct span oid, struct span value)
{
    CLEANUP(buf_free) struct buf item = BUF_INIT(CERT_BYTES);

    der_put(&item, DER_OID, oid);
    der_put(&item, DER_OCTET_STRING, value);
    der_put(list, DER_SEQUENCE, buf_as_span(&item));
}

static void put_times(struct buf *tbs)
{
    CLEANUP(buf_free) struct buf times = BUF_INIT(64);

    der_put(&times, 0x17, span_str(TIME));
    der_put(&times, 0x17, span_str(TIME));
    der_put(tbs, DER_SEQUENCE, buf_as_span(&times));
}

static void put_spki(struct buf *tbs)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(64);

    buf_append(&spki, ALGORITHM, sizeof(ALGORITHM));
    der_put(&spki, DER_BIT_STRING, span_of(SIGNATURE, sizeof(SIGNATURE)));
    der_put(tbs, DER_SEQUENCE, buf_as_span(&spki));
}

static void make_certificate(struct span list, struct buf *ret)
{
    CLEANUP(buf_free) struct buf extensions = BUF_INIT(CERT_BYTES), sequence = BUF_INIT(CERT_BYTES);
    CLEANUP(buf_free) struct buf tbs = BUF_INIT(CERT_BYTES), content = BUF_INIT(CERT_BYTES), version = BUF_INIT(8);

    put_extension(&extensions, span_of(OID_KEY_USAGE, sizeof(OID_KEY_USAGE)), span_of(KEY_USAGE, sizeof(KEY_USAGE)));
    put_extension(&extensions, span_of(OID_SCT_LIST, sizeof(OID_SCT_LIST)), list);
    der_put(&sequence, DER_SEQUENCE, buf_as_span(&extensions));
    der_put(&version, DER_INTEGER, span_of("\x02", 1));
    der_put(&tbs, DER_CONTEXT_0, buf_as_span(&version));
    der_put_unsigned(&tbs, span_of(ONE, 1));
    buf_append(&tbs, ALGORITHM, sizeof(ALGORITHM));
    der_put(&tbs, DER_SEQUENCE, span_of(NULL, 0)); /* issuer */
    put_times(&tbs);
    der_put(&tbs, DER_SEQUENCE, span_of(NULL, 0)); /* subject */
    put_spki(&tbs);
    der_put(&tbs, DER_CONTEXT_0 + 3, buf_as_span(&sequence));
    der_put(&content, DER_SEQUENCE, buf_as_span(&tbs));
    buf_append(&content, ALGORITHM, sizeof(ALGORITHM));
    der_put(&content, DER_BIT_STRING, span_of(SIGNATURE, sizeof(SIGNATURE)));
    der_put(ret, DER_SEQUENCE, buf_as_span(&content));
}

/* The log of the seeds: its key verifies nothing over this certificate. */
static struct sct_log log_once(void)
{
    static const uint8_t id[TLOG_ID_BYTES] = {0x0e, 0x59, 0xa8, 0x3a, 0x77, 0x0e, 0x93, 0xc2, 0xb2, 0x73, 0x1c,
                                              0x00, 0x32, 0xf5, 0x24, 0xed, 0x64, 0xd8, 0x2b, 0x59, 0xb8, 0xf4,
                                              0xb2, 0xbd, 0xa9, 0xf2, 0xd7, 0x77, 0x7f, 0xb6, 0xcc, 0x1b};
    static const uint8_t spki[] = {
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
        0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x5b, 0x60, 0xe6, 0xc0, 0x97,
        0xf5, 0x0b, 0x5b, 0xd2, 0x21, 0xfc, 0x67, 0x19, 0x16, 0xea, 0xf5, 0x35, 0xcb, 0x76, 0xc0, 0x99,
        0x19, 0x71, 0x75, 0x97, 0x42, 0x71, 0x8a, 0x18, 0xbc, 0xac, 0xf1, 0xf8, 0x16, 0x21, 0xaf, 0xfe,
        0x2e, 0xd3, 0xa5, 0xc6, 0x61, 0x83, 0x73, 0xb6, 0xc6, 0xe3, 0x4c, 0x0a, 0x1b, 0xf2, 0xe8, 0xdd,
        0xc8, 0x01, 0xda, 0xb3, 0xd6, 0xcd, 0x71, 0x70, 0x49, 0xfe, 0x8c,
    };
    static struct pubkey *key;
    struct sct_log log = {.window = {INT64_MIN, INT64_MAX}};
    struct error err = ERROR_INIT;

    if (!key)
        FUZZ_CHECK(pubkey_parse_der(span_of(spki, sizeof(spki)), &key, &err));
    for (size_t i = 0; i < sizeof(id); i++)
        log.id.bytes[i] = id[i];
    log.key = key;
    return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(buf_free) struct buf der = BUF_INIT(CERT_BYTES), tbs = BUF_INIT(CERT_BYTES);
    CLEANUP(cert_freep) struct cert *cert = NULL;
    struct sct_log log = log_once();
    struct span list;
    struct error err = ERROR_INIT;

    if (len > 32 * 1024)
        return 0;
    make_certificate(span_of(bytes, len), &der);
    FUZZ_CHECK(buf_ok(&der));
    FUZZ_CHECK(sct_precertificate(buf_as_span(&der), &tbs, &list, &err));
    FUZZ_CHECK(span_eq(list, span_of(bytes, len)));
    FUZZ_CHECK(cert_parse_der(buf_as_span(&der), &cert, &err));
    FUZZ_CHECK(!sct_verify(cert, cert, &log, 1, NULL, &err));
    FUZZ_CHECK(err.reason == REASON_UNTRUSTED_CHAIN || err.reason == REASON_MALFORMED || err.reason == REASON_LIMIT);
    return 0;
}
