/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keyfile.h"

#include <string.h>

#include "base/limits.h"
#include "crypto/pem.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

START_TEST(reads_cosigns_own)
{
    struct buf pem CLEANUP(buf_free) = vector_read("cosign-3.1.1/keys/cosign.key");
    struct buf public_pem CLEANUP(buf_free) = vector_read("cosign-3.1.1/keys/cosign.pub");
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct pubkey *public_half CLEANUP(pubkey_freep) = NULL;
    struct error err = ERROR_INIT;

    ck_assert(pubkey_parse_pem(buf_as_span(&public_pem), &public_half, &err));
    ck_assert_msg(keyfile_decrypt(buf_as_span(&pem), span_str("testpass"), &key, &err), "%s", err.text);
    ck_assert(pubkey_eq(privkey_public(key), public_half));
    privkey_freep(&key);
    ck_assert(!keyfile_decrypt(buf_as_span(&pem), span_str("testpasS"), &key, &err));
    ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
    ck_assert(!keyfile_decrypt(buf_as_span(&pem), span_str(""), &key, &err));
    ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
    ck_assert(!keyfile_decrypt(buf_as_span(&public_pem), span_str("testpass"), &key, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

START_TEST(writes_what_it_reads)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct privkey *again CLEANUP(privkey_freep) = NULL;
    struct buf one CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf two CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct error err = ERROR_INIT;

    ck_assert(privkey_generate(&key, &err));
    ck_assert(keyfile_encrypt(key, span_str(""), &one, &err)); /* an empty password is a password */
    ck_assert(keyfile_encrypt(key, span_str(""), &two, &err));
    ck_assert(!span_eq(buf_as_span(&one), buf_as_span(&two))); /* salt and nonce are new each time */
    ck_assert(span_starts(buf_as_span(&one), "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    ck_assert_msg(keyfile_decrypt(buf_as_span(&one), span_str(""), &again, &err), "%s", err.text);
    ck_assert(pubkey_eq(privkey_public(key), privkey_public(again)));
}
END_TEST

#define SALT "ST51phWIx0O+oxQeVpLxCVKY3rLdXufzgv9TAF9hhbw="
#define NONCE "xHgYgL3CfgUS7f81Qm9VMA1eVsrX78rO"
#define BOX "LXEXqQSWTBhOOlw4QdGIXDqtTY95ymgiVsrI6bOqsVtm3JXc"
#define JSON(n, r, p, salt, nonce, box) \
    "{\"kdf\":{\"name\":\"scrypt\",\"params\":{\"N\":" n ",\"r\":" r ",\"p\":" p "},\"salt\":\"" salt "\"}," \
    "\"cipher\":{\"name\":\"nacl/secretbox\",\"nonce\":\"" nonce "\"},\"ciphertext\":\"" box "\"}"

static const struct {
    const char *json;
    enum reason reason;
} files[] = {
    {JSON("65536", "8", "1", SALT, NONCE, BOX), REASON_BAD_REQUEST}, /* well-formed, another password */
    {JSON("1048576", "8", "1", SALT, NONCE, BOX), REASON_UNSUPPORTED},
    {JSON("65536", "64", "1", SALT, NONCE, BOX), REASON_UNSUPPORTED},
    {JSON("65536", "8", "99999", SALT, NONCE, BOX), REASON_UNSUPPORTED},
    {JSON("2", "8", "1", SALT, NONCE, BOX), REASON_UNSUPPORTED},
    {JSON("-65536", "8", "1", SALT, NONCE, BOX), REASON_UNSUPPORTED},
    {JSON("65536.5", "8", "1", SALT, NONCE, BOX), REASON_MALFORMED},
    {JSON("65536", "8", "1", "", NONCE, BOX), REASON_MALFORMED},
    {JSON("65536", "8", "1", SALT, "AAAA", BOX), REASON_MALFORMED},
    {JSON("65536", "8", "1", SALT, NONCE "AAAA", BOX), REASON_MALFORMED},
    {JSON("65536", "8", "1", SALT, NONCE, "AAAA"), REASON_MALFORMED},
    {JSON("65536", "8", "1", SALT, NONCE, "!"), REASON_MALFORMED},
    {"{}", REASON_MALFORMED},
    {"[]", REASON_MALFORMED},
    {"{\"kdf\":{},\"cipher\":{},\"ciphertext\":\"\"}", REASON_MALFORMED},
    {"{\"kdf\":{\"name\":\"argon2\",\"params\":{\"N\":1,\"r\":1,\"p\":1},\"salt\":\"\"},"
     "\"cipher\":{\"name\":\"nacl/secretbox\",\"nonce\":\"\"},\"ciphertext\":\"\"}", REASON_UNSUPPORTED},
    {JSON("65536", "8", "1", SALT, NONCE, BOX) " ", REASON_BAD_REQUEST},
    {JSON("65536", "8", "1", SALT, NONCE, BOX) "x", REASON_MALFORMED},
};

START_TEST(refuses)
{
    struct buf pem CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct privkey *key = NULL;
    struct error err = ERROR_INIT;

    pem_write(&pem, _i % 2 ? "ENCRYPTED SIGSTORE PRIVATE KEY" : "ENCRYPTED COSIGN PRIVATE KEY",
              span_str(files[_i].json));
    ck_assert(!keyfile_decrypt(buf_as_span(&pem), span_str("x"), &key, &err));
    ck_assert_msg(err.reason == files[_i].reason, "file %d: %s: %s", _i, reason_name(err.reason), err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_keyfile");
    TCase *cases = tcase_create("keyfile");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, reads_cosigns_own);
    tcase_add_test(cases, writes_what_it_reads);
    tcase_add_loop_test(cases, refuses, 0, ARRAY_LEN(files));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
