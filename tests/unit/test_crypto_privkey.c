/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/privkey.h"

#include <string.h>

#include "base/limits.h"
#include "crypto/pem.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

static const struct sig_scheme COSIGN = {.kind = SCHEME_COSIGN_KEY};

/* Signs, verifies with the public half, and comes back the same from PKCS#8 PEM. */
static void exercise(const struct privkey *key)
{
    struct buf sig CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf public_pem CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct privkey *again CLEANUP(privkey_freep) = NULL;
    struct pubkey *public_half CLEANUP(pubkey_freep) = NULL;
    struct error err = ERROR_INIT;

    ck_assert(privkey_sign(key, span_str("message"), &sig, &err));
    ck_assert(privkey_write_pem(key, &pem, &err));
    ck_assert(span_starts(buf_as_span(&pem), "-----BEGIN PRIVATE KEY-----\n"));
    ck_assert_msg(privkey_parse_pem(buf_as_span(&pem), &again, &err), "%s", err.text);
    pubkey_write_pem(privkey_public(again), &public_pem);
    ck_assert(pubkey_parse_pem(buf_as_span(&public_pem), &public_half, &err));
    ck_assert(pubkey_eq(public_half, privkey_public(key)));
    ck_assert(pubkey_verify(public_half, &COSIGN, span_str("message"), buf_as_span(&sig), &err));
    ck_assert(!pubkey_verify(public_half, &COSIGN, span_str("massage"), buf_as_span(&sig), &err));
}

START_TEST(generates)
{
    struct privkey *one CLEANUP(privkey_freep) = NULL;
    struct privkey *two CLEANUP(privkey_freep) = NULL;
    struct error err = ERROR_INIT;

    ck_assert(privkey_generate(&one, &err) && privkey_generate(&two, &err));
    ck_assert_int_eq(pubkey_type(privkey_public(one)), KEY_EC_P256);
    ck_assert(!pubkey_eq(privkey_public(one), privkey_public(two)));
    exercise(one);
}
END_TEST

static const struct {
    const char *file, *name;
} forms[] = {
    {"sec1", "ECDSA P-256"}, {"sec1-params", "ECDSA P-256"}, {"p384", "ECDSA P-384"},
    {"pkcs1", "RSA 2048"},   {"rsa", "RSA 2048"},            {"ed25519", "Ed25519"},
};

START_TEST(imports)
{
    char path[128];
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(0);
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct error err = ERROR_INIT;

    (void)snprintf(path, sizeof(path), "crypto/keys/private-%s.pem", forms[_i].file);
    pem = vector_read(path);
    ck_assert_msg(privkey_parse_pem(buf_as_span(&pem), &key, &err), "%s: %s", path, err.text);
    ck_assert_str_eq(pubkey_type_name(privkey_public(key)), forms[_i].name);
    exercise(key);
}
END_TEST

static const struct {
    const char *file;
    enum reason reason;
    const char *text;
} refused[] = {
    {"refused-private-ed448.pem", REASON_UNSUPPORTED, ""},
    {"refused-private-rsa1024.pem", REASON_UNSUPPORTED, "1024 bits"},
    {"refused-private-secp256k1.pem", REASON_UNSUPPORTED, ""},
    {"refused-private-encrypted.pem", REASON_UNSUPPORTED, "is encrypted"},
    {"refused-private-encrypted-sec1.pem", REASON_UNSUPPORTED, "is encrypted"},
    {"p256.pub", REASON_UNSUPPORTED, "found PUBLIC KEY"},
    {"message", REASON_MALFORMED, "no PEM block"},
};

START_TEST(refuses)
{
    char path[128];
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(0);
    struct privkey *key = NULL;
    struct error err = ERROR_INIT;

    (void)snprintf(path, sizeof(path), "crypto/keys/%s", refused[_i].file);
    pem = vector_read(path);
    ck_assert(!privkey_parse_pem(buf_as_span(&pem), &key, &err));
    ck_assert_msg(err.reason == refused[_i].reason && strstr(err.text, refused[_i].text), "%s: %s", path, err.text);
}
END_TEST

/* Cut anywhere, or with a byte behind: no key. */
/* What a provider would be asked for; here the default one, which knows PKCS#8 only. */
START_TEST(keys_of_providers)
{
    struct privkey *made CLEANUP(privkey_freep) = NULL, *key CLEANUP(privkey_freep) = NULL;
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf sig CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    struct error err = ERROR_INIT;
    const char *const foreign = "-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n";

    ck_assert(privkey_generate(&made, &err) && privkey_write_pem(made, &pem, &err));
    ck_assert(!privkey_is_external(buf_as_span(&pem)));
    ck_assert(!privkey_is_external(span_str("no key")));
    ck_assert(!privkey_is_external(
        span_str("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n")));
    ck_assert(privkey_is_external(span_str(foreign)));
    ck_assert(privkey_is_external(
        span_str("-----BEGIN PKCS#11 PROVIDER URI-----\nMAA=\n-----END PKCS#11 PROVIDER URI-----\n")));

    ck_assert_msg(privkey_open_external(buf_as_span(&pem), &key, &err), "%s", err.text);
    ck_assert(pubkey_eq(privkey_public(key), privkey_public(made)));
    ck_assert(privkey_sign(key, span_str("message"), &sig, &err));
    ck_assert(pubkey_verify(privkey_public(made), &COSIGN, span_str("message"), buf_as_span(&sig), &err));
    privkey_freep(&key);
    ck_assert(!privkey_open_external(span_str(foreign), &key, &err));
    ck_assert_int_eq(err.reason, REASON_UNSUPPORTED);
    ck_assert(strstr(err.text, "no OpenSSL provider takes TSS2 PRIVATE KEY;"));
}
END_TEST

/* A provider that gives one key's public half for another's: nothing that does not verify leaves privkey_sign. */
START_TEST(halves_of_two_keys_of_a_provider)
{
    struct privkey *made CLEANUP(privkey_freep) = NULL, *other CLEANUP(privkey_freep) = NULL;
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct buf der CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES), pem CLEANUP(buf_wipe) = BUF_INIT(4096);
    struct buf theirs CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf sig CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    struct error err = ERROR_INIT;
    const size_t point = 65; /* PKCS#8 of SEC1 ends with it */

    ck_assert(privkey_generate(&made, &err) && privkey_generate(&other, &err));
    ck_assert(privkey_write_pkcs8(made, &der, &err) && privkey_write_pkcs8(other, &theirs, &err));
    ck_assert_uint_eq(der.len, theirs.len);
    memcpy(der.ptr + der.len - point, theirs.ptr + theirs.len - point, point);
    pem_write(&pem, "PRIVATE KEY", buf_as_span(&der));
    ck_assert_msg(privkey_open_external(buf_as_span(&pem), &key, &err), "%s", err.text);
    ck_assert(pubkey_eq(privkey_public(key), privkey_public(other)));
    ck_assert(!privkey_sign(key, span_str("message"), &sig, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    ck_assert(strstr(err.text, "two halves do not belong together"));
    ck_assert_uint_eq(sig.len, 0);
}
END_TEST

START_TEST(damaged_pkcs8)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct privkey *other = NULL;
    struct buf der CLEANUP(buf_wipe) = BUF_INIT(4096);
    struct error err = ERROR_INIT;

    ck_assert(privkey_generate(&key, &err));
    ck_assert(privkey_write_pkcs8(key, &der, &err));
    for (size_t len = 0; len < der.len; len++)
        ck_assert(!privkey_parse_pkcs8(span_of(der.ptr, len), &other, &err));
    for (size_t i = 0; i < der.len; i++) {
        struct privkey *changed CLEANUP(privkey_freep) = NULL;

        der.ptr[i] ^= 0x01;
        /* either refused or consistent in itself: the public half always fits */
        if (privkey_parse_pkcs8(buf_as_span(&der), &changed, &err))
            exercise(changed);
        der.ptr[i] ^= 0x01;
    }
    buf_byte(&der, 0);
    ck_assert(!privkey_parse_pkcs8(buf_as_span(&der), &other, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_privkey");
    TCase *cases = tcase_create("privkey");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, generates);
    tcase_add_loop_test(cases, imports, 0, ARRAY_LEN(forms));
    tcase_add_loop_test(cases, refuses, 0, ARRAY_LEN(refused));
    tcase_add_test(cases, keys_of_providers);
    tcase_add_test(cases, halves_of_two_keys_of_a_provider);
    tcase_add_test(cases, damaged_pkcs8);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
