/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sct.h"

#include <string.h>

#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

#define SAMPLES "crypto/samples/"

static const int64_t SCT_TIME_MS = 1795451667578; /* as openssl x509 -text prints it: 16:34:27.578 */

static struct cert *cert_of(const char *name)
{
    struct buf der CLEANUP(buf_free) = vector_read(name);
    struct cert *cert = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(cert_parse_der(buf_as_span(&der), &cert, &err), "%s: %s", name, err.text);
    return cert;
}

static struct sct_log log_of(struct pubkey **key)
{
    struct buf spki CLEANUP(buf_free) = vector_read(SAMPLES "ctlog.spki");
    struct sct_log log = {.window = {INT64_MIN, INT64_MAX}};
    struct error err = ERROR_INIT;

    ck_assert(pubkey_parse_der(buf_as_span(&spki), key, &err));
    ck_assert(tlog_id_of_key(*key, &log.id));
    log.key = *key;
    return log;
}

static enum reason verify(const struct cert *leaf, const struct cert *issuer, const struct sct_log *logs, size_t count)
{
    struct error err = ERROR_INIT;
    size_t which = 99;
    bool done = sct_verify(leaf, issuer, logs, count, &which, &err);

    ck_assert(done == (which != 99));
    return done ? REASON_OK : err.reason;
}

START_TEST(embedded)
{
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct sct_log log = log_of(&key);
    struct cert *leaf CLEANUP(cert_freep) = cert_of(SAMPLES "r1.der");
    struct cert *leaf2 CLEANUP(cert_freep) = cert_of(SAMPLES "r2.der");
    struct cert *issuer CLEANUP(cert_freep) = cert_of(SAMPLES "fulcio.der");
    struct cert *other CLEANUP(cert_freep) = cert_of(SAMPLES "tsa-1.der");

    ck_assert_int_eq(verify(leaf, issuer, &log, 1), REASON_OK);
    ck_assert_int_eq(verify(leaf2, issuer, &log, 1), REASON_OK);
    ck_assert_int_eq(verify(leaf, other, &log, 1), REASON_UNTRUSTED_CHAIN);
    ck_assert_int_eq(verify(leaf, NULL, &log, 1), REASON_UNTRUSTED_CHAIN);
    ck_assert_int_eq(verify(leaf, issuer, &log, 0), REASON_UNTRUSTED_CHAIN);
    ck_assert_int_eq(verify(issuer, issuer, &log, 1), REASON_UNTRUSTED_CHAIN); /* no SCT at all */
}
END_TEST

START_TEST(windows_are_closed)
{
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct sct_log log = log_of(&key);
    struct sct_log both[2] = {log, log};
    struct cert *leaf CLEANUP(cert_freep) = cert_of(SAMPLES "r1.der");
    struct cert *issuer CLEANUP(cert_freep) = cert_of(SAMPLES "fulcio.der");

    log.window = (struct time_window){SCT_TIME_MS, SCT_TIME_MS};
    ck_assert_int_eq(verify(leaf, issuer, &log, 1), REASON_OK);
    log.window = (struct time_window){SCT_TIME_MS + 1, INT64_MAX};
    ck_assert_int_eq(verify(leaf, issuer, &log, 1), REASON_UNTRUSTED_CHAIN);
    log.window = (struct time_window){INT64_MIN, SCT_TIME_MS - 1};
    ck_assert_int_eq(verify(leaf, issuer, &log, 1), REASON_UNTRUSTED_CHAIN);
    both[0].window = log.window; /* the same key again, with a window that fits */
    ck_assert_int_eq(verify(leaf, issuer, both, 2), REASON_OK);
    log.window = (struct time_window){INT64_MIN, INT64_MAX};
    log.id.bytes[3] ^= 1;
    ck_assert_int_eq(verify(leaf, issuer, &log, 1), REASON_UNTRUSTED_CHAIN);
}
END_TEST

/* Any bit of the certificate before its own signature: the SCT covers all of it. */
START_TEST(damaged_certificates)
{
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct sct_log log = log_of(&key);
    struct buf der CLEANUP(buf_free) = vector_read(SAMPLES "r1.der");
    struct cert *issuer CLEANUP(cert_freep) = cert_of(SAMPLES "fulcio.der");
    size_t accepted = 0;
    size_t signature = der.len;

    for (size_t i = 0; i < der.len * 8; i += vector_bit_step()) {
        struct cert *leaf CLEANUP(cert_freep) = NULL;
        struct error err = ERROR_INIT;

        der.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        if (cert_parse_der(buf_as_span(&der), &leaf, &err) && verify(leaf, issuer, &log, 1) == REASON_OK) {
            accepted++;
            if (i / 8 < signature)
                signature = i / 8;
        }
        der.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    /* only bits of the CA's signature (algorithm and value, the last 83 bytes) are outside the precertificate */
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_ge(signature, der.len - 84);
}
END_TEST

/* The precertificate is the TBSCertificate without one extension: as long as that, with lengths to fit. */
START_TEST(precertificate)
{
    struct buf der CLEANUP(buf_free) = vector_read(SAMPLES "r1.der");
    struct buf tbs CLEANUP(buf_free) = BUF_INIT(65536);
    struct span list = span_of(NULL, 0);
    struct error err = ERROR_INIT;

    ck_assert(sct_precertificate(buf_as_span(&der), &tbs, &list, &err));
    ck_assert_uint_gt(list.len, 100);
    ck_assert_uint_lt(tbs.len, der.len - list.len);
    for (size_t len = 0; len < der.len; len++) {
        struct buf cut CLEANUP(buf_free) = BUF_INIT(65536);

        ck_assert(!sct_precertificate(span_of(der.ptr, len), &cut, &list, &err));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_sct");
    TCase *cases = tcase_create("sct");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, embedded);
    tcase_add_test(cases, windows_are_closed);
    tcase_add_test(cases, damaged_certificates);
    tcase_add_test(cases, precertificate);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
