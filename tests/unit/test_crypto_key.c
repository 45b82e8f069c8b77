/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <string.h>

#include "base/encode.h"
#include "crypto/der.h"
#include "crypto/init.h"
#include "crypto/pem.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

static const struct sig_scheme COSIGN = {.kind = SCHEME_COSIGN_KEY};

static struct pubkey *key_of(const char *vector)
{
    struct buf pem CLEANUP(buf_free) = vector_read(vector);
    struct pubkey *key = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(pubkey_parse_pem(buf_as_span(&pem), &key, &err), "%s: %s", vector, err.text);
    return key;
}

/* What cosign 3.1.1 stored for each key type (tests/vectors/cosign-3.1.1): payload blob and signature annotation. */
static const struct {
    const char *key, *blob, *sig;
} cosign_cases[] = {
    {"prime256v1",
     "alg/legacy-prime256v1/blobs/sha256-6df085a9d6b40aff78f9c3e7dd9ae072fed6e8021ac09678524c0efaded722bf",
     "MEUCIQCPIiEk6KNTzE/esQx2/tMzRLF7WeZR7wgRGYvj7cFkqQIgJ2ULxB6uCvQw5UqgMbihXTu+tz4kIubDJHxCinzwmQI="},
    {"secp384r1", "alg/legacy-secp384r1/blobs/sha256-fac6ba6d02690fc37096f9e156b315bcc35aa8b50559e982250a049c39b2530e",
     "MGYCMQDjJFnX4VnS0X+/dZvoRc1gQyO0ewFxZn9sokX1c/NpCy4NTbymJjuLGDhCSMRIyzUCMQCZh1KIZ4+oiwRIFDVpOpoU"
     "cxy4Mo9qNVk83+EuBf/+3Y3fPkg5YZOG2Ki3d3V3t48="},
    {"secp521r1", "alg/legacy-secp521r1/blobs/sha256-d960da4edc0856a0181bdf6383592ff85280b63e912543687772c0262ac1bc56",
     "MIGIAkIBfww31+5rrHlW9BmXxnOLVbO7zgJZKmkWKBROABINOiaBIvHxVmptH620BXgeq5O37Cfd5cQ+O0z1t7Y5fjUdc5oC"
     "QgCSCSqOtnGz3ss/0oOk9xnz9mZNPhlsS/8HMLq9xG3wNHjD+rSCZCqxziSh0jcriCv4pZAQFBLxdT2XGevo04LkQg=="},
    {"rsa2048", "alg/legacy-rsa2048/blobs/sha256-0375fb3513bf05df6e5ad9951bef716f16079f466f288b6e60440ca91a5f1b77",
     "AYsTFKgb94DudESZEt8TFlJjhUnQaOwou6/Nlkey9NwolW1QqHaCixlKXFk8zABYCON0U2jqPIZ3qMWG9wKjNblOCObjc13W"
     "ovow3BnGVYoNDQNyBe0ROYXO2wB4boPNCD/UlxoGNKyNQEt9fz8+AQ9iS0ACSOX5Ve8W6jDfQ7RGKrZcr5hGTlt2ZGft7j7B"
     "uCeiNrnHaZtR1kyBmk6rmgnpuwCh54S8Kbe/agDG9MJHunrYvSsfNy6+eQAm9rNQRJCuvE5NJH/PB35RGOqYq3vdW+MHiYaE"
     "/LGENaM2VuoiPLI7Jrz8h2pw7P4VgxQpVEueyzVDlzk09V6aVU9lyA=="},
    {"rsa4096", "alg/legacy-rsa4096/blobs/sha256-dcc4631cba1adb057e9c29a81c87604d684ec11bb83768bb324c4e29222e10e8",
     "lZUE2NI0owYbYckxrFvByBtPJOQ5CVLZASdsuzmQks5EM7150vtxBuJXAe8MNXYAMSL5MHsRJGpFJC6REJ5sEFft9wRHA2Em"
     "zhd/mfEoJPjVbzp7pHUxXojR5zPte0fHzuaj2UHjHtC9V5zdrjMedKoxkbWlry8MJDujfgHvf1XxDLhGegrnXQ0TjRcRvslB"
     "mnR8+SJhKKsGAChciOzce6zPDYNwCmiZ9nkCGN9jF6KQ3Ghl16X6ViBa/qskakoFDBAnGp+5DPru0dY1ODJuGGvy7S7bASHs"
     "WVKDn6rHulLOgpYtUZx90x3x2V8ZekmVK8fR90oBsJaa7nKI1E1GBkh1WhkZj7G8PZ6mygrgs7uxHGsFjiqvTGB/ykDcxYaC"
     "g7Q0Xtbbcqxa+u1UB9KCLuwREngL0rsLttdO7lvGTLdDG5Qkm90XtD3O1G6IigKYHFI56kX++x2xYxCUlQAuhlGVqxMZafE5"
     "vGTQPAG8fO5mkoM6fm3wtDYZ0vAZxWL6Rkz97WmDOBg5MagJAcYwVBDuwuMa973Tban4kbmfvjv6AEetHVzMVcyEQPD0bayg"
     "oX2FwAE3BkOpHZwx3t6+jeHnZUAHDavXSlgtDfBRdvNpNZ559DTzi1KgDadwGs0Pduk5FhMPaLlPyGymHRuyCB2KBCpWHyL0"
     "sw/19iQl3zw="},
    {"ed25519", "alg/legacy-ed25519/blobs/sha256-e823761b529ce0124aa3e0e120ef0b5515164dc49cc67cd183a30c68a60e1ec6",
     "oFaySs9lnoxgEQ7PXTvY62hQJeWrihklrJ7v7NdFTIazWaH+FFm5aBr2POgdn+MdbCriset9VI3ogPGSXM2rAQ=="},
};

START_TEST(accepts_what_cosign_makes)
{
    char path[256];
    struct error err = ERROR_INIT;
    struct buf sig CLEANUP(buf_free) = vector_base64(cosign_cases[_i].sig);
    struct buf payload CLEANUP(buf_free) = BUF_INIT(0);
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;

    (void)snprintf(path, sizeof(path), "cosign-3.1.1/keys/%s.pub", cosign_cases[_i].key);
    key = key_of(path);
    (void)snprintf(path, sizeof(path), "cosign-3.1.1/registry/%s", cosign_cases[_i].blob);
    payload = vector_read(path);
    ck_assert_msg(pubkey_verify(key, &COSIGN, buf_as_span(&payload), buf_as_span(&sig), &err), "%s", err.text);

    payload.ptr[payload.len / 2] ^= 1;
    ck_assert(!pubkey_verify(key, &COSIGN, buf_as_span(&payload), buf_as_span(&sig), &err));
    ck_assert_int_eq(err.reason, REASON_WRONG_KEY);
}
END_TEST

static const struct {
    const char *key, *sig;
    struct sig_scheme scheme;
    enum reason reason; /* OK = verifies */
} scheme_cases[] = {
    {"p256", "p256.sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"p256", "p256.sha384", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_WRONG_KEY},
    {"p256", "p256.sha384", {SCHEME_COSIGN_KEY, DIGEST_SHA384, false}, REASON_OK},
    {"p256", "p256.sha256", {SCHEME_EXACT, DIGEST_SHA256, false}, REASON_OK},
    {"p256", "p256.sha256", {SCHEME_EXACT, DIGEST_SHA384, false}, REASON_WRONG_KEY},
    {"p256", "p256.sha256", {SCHEME_EXACT, DIGEST_NONE, false}, REASON_UNSUPPORTED},
    {"p256", "p256.sha256", {SCHEME_COSIGN_KEY, DIGEST_SHA224, false}, REASON_UNSUPPORTED},
    {"p384", "p384.sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"p384", "p384.sha384", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"p384", "p384.sha512", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_WRONG_KEY},
    {"p384", "p384.sha512", {SCHEME_COSIGN_KEY, DIGEST_SHA512, false}, REASON_OK},
    {"p384", "p384.sha256", {SCHEME_COSIGN_KEY, DIGEST_SHA384, false}, REASON_WRONG_KEY},
    {"p384", "p384.sha256", {SCHEME_EXACT, DIGEST_SHA384, false}, REASON_WRONG_KEY},
    {"p521", "p521.sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"p521", "p521.sha512", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"p521", "p521.sha512", {SCHEME_EXACT, DIGEST_SHA512, false}, REASON_OK},
    {"rsa", "rsa.sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"rsa", "rsa.sha512", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_WRONG_KEY},
    {"rsa", "rsa.sha512", {SCHEME_COSIGN_KEY, DIGEST_SHA512, false}, REASON_OK},
    {"rsa", "rsa.pss-sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_WRONG_KEY},
    {"rsa", "rsa.pss-sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, true}, REASON_WRONG_KEY},
    {"rsa", "rsa.pss-sha256", {SCHEME_EXACT, DIGEST_SHA256, false}, REASON_WRONG_KEY},
    {"rsa", "rsa.pss-sha256", {SCHEME_EXACT, DIGEST_SHA256, true}, REASON_OK},
    {"rsa", "rsa.pss-short-salt", {SCHEME_EXACT, DIGEST_SHA256, true}, REASON_WRONG_KEY},
    {"rsa", "rsa.pss-short-salt", {SCHEME_EXACT, DIGEST_SHA256, true, true}, REASON_OK},
    {"rsa", "rsa.pss-sha256", {SCHEME_EXACT, DIGEST_SHA256, true, true}, REASON_OK},
    {"rsa", "rsa.pss-sha256", {SCHEME_EXACT, DIGEST_SHA512, true, true}, REASON_WRONG_KEY},
    {"rsa", "rsa.pss-short-salt", {SCHEME_EXACT, DIGEST_SHA256, false, true}, REASON_WRONG_KEY},
    {"rsa", "rsa.sha256", {SCHEME_EXACT, DIGEST_SHA256, true, true}, REASON_WRONG_KEY},
    {"rsa", "rsa.sha256", {SCHEME_EXACT, DIGEST_SHA256, true}, REASON_WRONG_KEY},
    {"rsa", "p256.sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_BAD_SIGNATURE},
    {"ed25519", "ed25519.pure", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_OK},
    {"ed25519", "ed25519.pure", {SCHEME_COSIGN_KEY, DIGEST_SHA512, false}, REASON_OK},
    {"ed25519", "ed25519.pure", {SCHEME_EXACT, DIGEST_NONE, false}, REASON_OK},
    {"ed25519", "ed25519.pure", {SCHEME_EXACT, DIGEST_SHA512, false}, REASON_WRONG_KEY},
    {"ed25519", "ed25519.pure", {SCHEME_EXACT, DIGEST_SHA256, false}, REASON_UNSUPPORTED},
    {"ed25519", "p256.sha256", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_BAD_SIGNATURE},
    {"p256", "ed25519.pure", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_WRONG_KEY}, /* 64 bytes read as r||s */
    {"p384", "ed25519.pure", {SCHEME_COSIGN_KEY, DIGEST_NONE, false}, REASON_BAD_SIGNATURE},
};

START_TEST(schemes_decide)
{
    char path[128];
    struct error err = ERROR_INIT;
    struct buf sig CLEANUP(buf_free) = BUF_INIT(0);
    struct buf message CLEANUP(buf_free) = vector_read("crypto/keys/message");
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    bool done;

    (void)snprintf(path, sizeof(path), "crypto/keys/%s.pub", scheme_cases[_i].key);
    key = key_of(path);
    (void)snprintf(path, sizeof(path), "crypto/keys/%s.sig", scheme_cases[_i].sig);
    sig = vector_read(path);
    done = pubkey_verify(key, &scheme_cases[_i].scheme, buf_as_span(&message), buf_as_span(&sig), &err);
    ck_assert_msg(done == (scheme_cases[_i].reason == REASON_OK), "case %d: %s", _i, err.text);
    if (!done)
        ck_assert_msg(err.reason == scheme_cases[_i].reason, "case %d: %s: %s", _i, reason_name(err.reason), err.text);
}
END_TEST

static const struct {
    const char *file;
    enum reason reason;
    const char *text;
} refused_keys[] = {
    {"secp256k1", REASON_UNSUPPORTED, "algorithm is not one of"},
    {"p224", REASON_UNSUPPORTED, "algorithm is not one of"},
    {"compressed", REASON_MALFORMED, "uncompressed point"},
    {"explicit", REASON_UNSUPPORTED, "algorithm is not one of"},
    {"pkcs1", REASON_MALFORMED, "found RSA PUBLIC KEY"},
    {"rsa-pss-key", REASON_UNSUPPORTED, "algorithm is not one of"},
    {"rsa1024", REASON_UNSUPPORTED, "1024 bits"},
    {"ed448", REASON_UNSUPPORTED, "algorithm is not one of"},
};

START_TEST(refuses_other_keys)
{
    char path[128];
    struct error err = ERROR_INIT;
    struct buf pem CLEANUP(buf_free) = BUF_INIT(0);
    struct pubkey *key = NULL;

    (void)snprintf(path, sizeof(path), "crypto/keys/refused-%s.pub", refused_keys[_i].file);
    pem = vector_read(path);
    ck_assert(!pubkey_parse_pem(buf_as_span(&pem), &key, &err));
    ck_assert_msg(err.reason == refused_keys[_i].reason, "%s: %s", path, err.text);
    ck_assert_msg(strstr(err.text, refused_keys[_i].text) != NULL, "%s: %s", path, err.text);
    ck_assert_ptr_null(key);
}
END_TEST

START_TEST(names_and_hints)
{
    static const struct {
        const char *file, *name;
        enum key_type type;
    } cases[] = {
        {"prime256v1", "ECDSA P-256", KEY_EC_P256}, {"secp384r1", "ECDSA P-384", KEY_EC_P384},
        {"secp521r1", "ECDSA P-521", KEY_EC_P521},  {"rsa2048", "RSA 2048", KEY_RSA},
        {"rsa3072", "RSA 3072", KEY_RSA},           {"rsa4096", "RSA 4096", KEY_RSA},
        {"ed25519", "Ed25519", KEY_ED25519},
    };
    struct pubkey *cosign CLEANUP(pubkey_freep) = key_of("cosign-3.1.1/keys/cosign.pub");

    /* openssl pkey -pubin -in cosign.pub -outform DER | sha256sum, and the hint in demo/bundle */
    ck_assert_str_eq(pubkey_fingerprint(cosign), "26a3e1ca0712b73dcb7f401f49ddc859ae2b68653e4694cfd2e15363d714bf7c");
    ck_assert_str_eq(pubkey_hint(cosign), "JqPhygcStz3Lf0AfSd3IWa4raGU+RpTP0uFTY9cUv3w=");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[128];
        struct pubkey *key CLEANUP(pubkey_freep) = NULL;
        struct pubkey *again CLEANUP(pubkey_freep) = NULL;
        struct error err = ERROR_INIT;

        (void)snprintf(path, sizeof(path), "cosign-3.1.1/keys/%s.pub", cases[i].file);
        key = key_of(path);
        ck_assert_str_eq(pubkey_type_name(key), cases[i].name);
        ck_assert_int_eq(pubkey_type(key), cases[i].type);
        ck_assert(pubkey_parse_der(pubkey_spki(key), &again, &err));
        ck_assert(pubkey_eq(key, again));
        ck_assert(!pubkey_eq(key, cosign));
    }
}
END_TEST

/* Each byte of each accepted key flipped, and each truncation: refused, or another key (a flip in the key's own bits).
 */
START_TEST(damaged_spki)
{
    static const char *const files[] = {"p256", "p384", "p521", "rsa", "ed25519"};
    static const size_t header[] = {27, 24, 26, 32, 12}; /* bytes before the key's own bits */
    char path[128];
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct buf der CLEANUP(buf_free) = BUF_INIT(4096);
    struct error err = ERROR_INIT;

    (void)snprintf(path, sizeof(path), "crypto/keys/%s.pub", files[_i]);
    key = key_of(path);
    buf_span(&der, pubkey_spki(key));
    for (size_t len = 0; len < der.len; len++) {
        struct pubkey *cut = NULL;

        ck_assert(!pubkey_parse_der(span_of(der.ptr, len), &cut, &err));
    }
    for (size_t i = 0; i < der.len; i++) {
        struct pubkey *other CLEANUP(pubkey_freep) = NULL;

        der.ptr[i] ^= 0x01;
        if (pubkey_parse_der(buf_as_span(&der), &other, &err))
            ck_assert(!pubkey_eq(key, other) && i >= header[_i]);
        der.ptr[i] ^= 0x01;
    }
    buf_byte(&der, 0);
    ck_assert(!pubkey_parse_der(buf_as_span(&der), &key, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

/* An RSA SPKI with these numbers. */
static struct buf rsa_spki(struct span modulus, struct span exponent)
{
    static const uint8_t algorithm[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    struct buf numbers CLEANUP(buf_free) = BUF_INIT(4096);
    struct buf bits CLEANUP(buf_free) = BUF_INIT(4096);
    struct buf parts CLEANUP(buf_free) = BUF_INIT(4096);
    struct buf spki = BUF_INIT(4096);

    der_put_unsigned(&numbers, modulus);
    der_put_unsigned(&numbers, exponent);
    buf_byte(&bits, 0);
    der_put(&bits, DER_SEQUENCE, buf_as_span(&numbers));
    der_put(&parts, DER_SEQUENCE, span_of(algorithm, sizeof(algorithm)));
    der_put(&parts, DER_BIT_STRING, buf_as_span(&bits));
    der_put(&spki, DER_SEQUENCE, buf_as_span(&parts));
    ck_assert(buf_ok(&spki));
    return spki;
}

static const struct {
    size_t modulus_bytes;
    uint8_t first, last; /* of the modulus; the bytes between are ff */
    const char *exponent;
    size_t exponent_len;
    enum reason reason;
} rsa_cases[] = {
    {256, 0x80, 1, "\x01\x00\x01", 3, REASON_OK},
    {256, 0x80, 1, "\x03", 1, REASON_OK},
    {256, 0x80, 1, "\x7f\xff\xff\xff", 4, REASON_OK},
    {256, 0x80, 1, "\x01", 1, REASON_UNSUPPORTED},
    {256, 0x80, 1, "\x00", 1, REASON_UNSUPPORTED},
    {256, 0x80, 1, "\x02", 1, REASON_UNSUPPORTED},
    {256, 0x80, 1, "\x01\x00\x00", 3, REASON_UNSUPPORTED},
    {256, 0x80, 1, "\x80\x00\x00\x01", 4, REASON_UNSUPPORTED},
    {256, 0x7f, 1, "\x01\x00\x01", 3, REASON_UNSUPPORTED}, /* 2047 bits */
    {256, 0x80, 2, "\x01\x00\x01", 3, REASON_MALFORMED},
    {1024, 0xff, 1, "\x01\x00\x01", 3, REASON_OK},
    {1025, 0x01, 1, "\x01\x00\x01", 3, REASON_UNSUPPORTED}, /* 8193 bits */
};

START_TEST(rsa_numbers)
{
    uint8_t modulus[1025];
    struct buf spki CLEANUP(buf_free) = BUF_INIT(0);
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct error err = ERROR_INIT;
    bool done;

    memset(modulus, 0xff, sizeof(modulus));
    modulus[0] = rsa_cases[_i].first;
    modulus[rsa_cases[_i].modulus_bytes - 1] = rsa_cases[_i].last;
    spki = rsa_spki(span_of(modulus, rsa_cases[_i].modulus_bytes),
                    span_of(rsa_cases[_i].exponent, rsa_cases[_i].exponent_len));
    done = pubkey_parse_der(buf_as_span(&spki), &key, &err);
    ck_assert_msg((done ? REASON_OK : err.reason) == rsa_cases[_i].reason, "case %d: %s", _i, err.text);
}
END_TEST

static enum reason verify_bytes(const struct pubkey *key, struct span message, struct span sig)
{
    struct error err = ERROR_INIT;

    return pubkey_verify(key, &COSIGN, message, sig, &err) ? REASON_OK : err.reason;
}

/* Encodings of one ECDSA signature (sigstore.md section 1.4). */
START_TEST(ecdsa_encodings)
{
    struct pubkey *key CLEANUP(pubkey_freep) = key_of("crypto/keys/p256.pub");
    struct buf message CLEANUP(buf_free) = vector_read("crypto/keys/message");
    struct buf der CLEANUP(buf_free) = vector_read("crypto/keys/p256.sha256.sig");
    struct buf raw CLEANUP(buf_free) = BUF_INIT(200);
    size_t at = 3;

    for (int half = 0; half < 2; half++) {
        size_t len = der.ptr[at];
        size_t skip = len > 32 ? len - 32 : 0;

        for (size_t pad = len - skip; pad < 32; pad++)
            buf_byte(&raw, 0);
        buf_append(&raw, der.ptr + at + 1 + skip, len - skip);
        at += len + 2;
    }
    ck_assert_uint_eq(raw.len, 64);
    ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), buf_as_span(&raw)), REASON_OK);
    for (size_t len = 0; len < 64; len++)
        ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), span_of(raw.ptr, len)), REASON_BAD_SIGNATURE);
    buf_byte(&raw, 0);
    ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), buf_as_span(&raw)), REASON_BAD_SIGNATURE);

    buf_byte(&der, 0); /* junk behind */
    ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), buf_as_span(&der)), REASON_BAD_SIGNATURE);
    der.ptr[1]++;      /* junk inside the sequence */
    ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), buf_as_span(&der)), REASON_BAD_SIGNATURE);
    ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), span_str("")), REASON_BAD_SIGNATURE);
}
END_TEST

/* Padding that makes a DER signature with junk exactly 64 bytes long must not turn it into r||s. */
START_TEST(junk_is_not_raw)
{
    struct pubkey *key CLEANUP(pubkey_freep) = key_of("crypto/keys/p256.pub");
    static const uint8_t bytes[64] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};

    ck_assert_int_eq(verify_bytes(key, span_str("x"), span_of(bytes, sizeof(bytes))), REASON_BAD_SIGNATURE);
}
END_TEST

/* Every single bit of a good signature flipped, every truncation: never accepted. */
START_TEST(damaged_signatures)
{
    static const char *const sigs[][2] = {{"p256", "p256.sha256"}, {"p384", "p384.sha384"}, {"p521", "p521.sha512"},
                                          {"rsa", "rsa.sha256"}, {"ed25519", "ed25519.pure"}};
    char path[128];
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct buf message CLEANUP(buf_free) = vector_read("crypto/keys/message");
    struct buf sig CLEANUP(buf_free) = BUF_INIT(0);

    (void)snprintf(path, sizeof(path), "crypto/keys/%s.pub", sigs[_i][0]);
    key = key_of(path);
    (void)snprintf(path, sizeof(path), "crypto/keys/%s.sig", sigs[_i][1]);
    sig = vector_read(path);
    ck_assert_int_eq(verify_bytes(key, buf_as_span(&message), buf_as_span(&sig)), REASON_OK);
    for (size_t i = 0; i < sig.len * 8; i += vector_bit_step()) {
        sig.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_int_ne(verify_bytes(key, buf_as_span(&message), buf_as_span(&sig)), REASON_OK);
        sig.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < sig.len; len++) {
        ck_assert_int_ne(verify_bytes(key, buf_as_span(&message), span_of(sig.ptr, len)), REASON_OK);
        ck_assert_int_ne(verify_bytes(key, buf_as_span(&message), span_of(sig.ptr + len, sig.len - len)),
                         len == 0 ? REASON_WRONG_KEY : REASON_OK);
    }
}
END_TEST

/* RFC 8032 section 7.3: the only published Ed25519ph vector. */
START_TEST(ed25519ph_rfc8032)
{
    static const char spki[] = "302a300506032b6570032100"
                               "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf";
    static const char sig[] =
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062"
        "adf5aaa10b8c61e636062aaad11c2a26083406";
    struct buf der CLEANUP(buf_free) = vector_hex(span_str(spki));
    struct buf bytes CLEANUP(buf_free) = vector_hex(span_str(sig));
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct error err = ERROR_INIT;
    struct sig_scheme pure = {SCHEME_EXACT, DIGEST_NONE, false};

    ck_assert(pubkey_parse_der(buf_as_span(&der), &key, &err));
    ck_assert_int_eq(verify_bytes(key, span_str("abc"), buf_as_span(&bytes)), REASON_OK);
    ck_assert_int_eq(verify_bytes(key, span_str("abd"), buf_as_span(&bytes)), REASON_WRONG_KEY);
    ck_assert(!pubkey_verify(key, &pure, span_str("abc"), buf_as_span(&bytes), &err));
}
END_TEST

/* From the digest alone: every scheme case again, with each of the three hashes; never more is accepted than from the
 * message, and all that is prehashed is. */
START_TEST(digests_decide_alike)
{
    static const enum digest_alg hashes[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    char path[128];
    struct buf sig CLEANUP(buf_free) = BUF_INIT(0);
    struct buf message CLEANUP(buf_free) = vector_read("crypto/keys/message");
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    size_t accepted = 0;

    (void)snprintf(path, sizeof(path), "crypto/keys/%s.pub", scheme_cases[_i].key);
    key = key_of(path);
    (void)snprintf(path, sizeof(path), "crypto/keys/%s.sig", scheme_cases[_i].sig);
    sig = vector_read(path);
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        struct error err = ERROR_INIT;
        struct digest digest;

        ck_assert(digest_compute(hashes[i], buf_as_span(&message), &digest));
        if (pubkey_verify_digest(key, &scheme_cases[_i].scheme, &digest, buf_as_span(&sig), &err)) {
            accepted++;
            digest.bytes[7] ^= 1;
            ck_assert(!pubkey_verify_digest(key, &scheme_cases[_i].scheme, &digest, buf_as_span(&sig), &err));
            ck_assert_int_eq(err.reason, REASON_WRONG_KEY);
        }
    }
    if (pubkey_type(key) == KEY_ED25519)
        ck_assert_uint_eq(accepted, 0); /* these are pure signatures */
    else
        ck_assert_uint_eq(accepted, scheme_cases[_i].reason == REASON_OK ? 1 : 0);
}
END_TEST

START_TEST(ed25519ph_digests)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                      0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    unsigned int carry = 0;
    struct pubkey *key CLEANUP(pubkey_freep) = key_of("cosign-3.1.1/keys/ed25519.pub");
    size_t sample = ARRAY_LEN(cosign_cases) - 1;
    struct buf sig CLEANUP(buf_free) = vector_base64(cosign_cases[sample].sig);
    struct buf payload CLEANUP(buf_free) = BUF_INIT(0);
    struct digest digest;
    struct error err = ERROR_INIT;
    char path[256];

    (void)snprintf(path, sizeof(path), "cosign-3.1.1/registry/%s", cosign_cases[sample].blob);
    payload = vector_read(path);
    ck_assert(digest_compute(DIGEST_SHA512, buf_as_span(&payload), &digest));
    ck_assert_msg(pubkey_verify_digest(key, &COSIGN, &digest, buf_as_span(&sig), &err), "%s", err.text);
    for (size_t i = 0; i < sig.len * 8; i += vector_bit_step()) {
        sig.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert(!pubkey_verify_digest(key, &COSIGN, &digest, buf_as_span(&sig), &err));
        sig.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    /* RFC 8032 section 5.1.7: S below the group's order; S + L would verify as well */
    for (size_t i = 0; i < sizeof(order); i++) {
        carry += sig.ptr[32 + i] + order[i];
        sig.ptr[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    ck_assert(!pubkey_verify_digest(key, &COSIGN, &digest, buf_as_span(&sig), &err));
    ck_assert(!pubkey_verify(key, &COSIGN, buf_as_span(&payload), buf_as_span(&sig), &err));
    ck_assert(digest_compute(DIGEST_SHA256, buf_as_span(&payload), &digest));
    ck_assert(!pubkey_verify_digest(key, &COSIGN, &digest, buf_as_span(&sig), &err));
    ck_assert_int_eq(err.reason, REASON_UNSUPPORTED);
}
END_TEST

/* Points of small order, or not on the curve, are no keys. */
START_TEST(ed25519_weak_points)
{
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "0200000000000000000000000000000000000000000000000000000000000000",
    };
    char text[256];
    struct buf der CLEANUP(buf_free) = BUF_INIT(0);
    struct pubkey *key = NULL;
    struct error err = ERROR_INIT;

    (void)snprintf(text, sizeof(text), "302a300506032b6570032100%s", points[_i]);
    der = vector_hex(span_str(text));
    ck_assert(!pubkey_parse_der(buf_as_span(&der), &key, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

START_TEST(library_starts)
{
    struct error err = ERROR_INIT;

    ck_assert_msg(crypto_init(&err), "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_key");
    TCase *cases = tcase_create("key");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, library_starts);
    tcase_add_loop_test(cases, accepts_what_cosign_makes, 0, ARRAY_LEN(cosign_cases));
    tcase_add_loop_test(cases, schemes_decide, 0, ARRAY_LEN(scheme_cases));
    tcase_add_loop_test(cases, refuses_other_keys, 0, ARRAY_LEN(refused_keys));
    tcase_add_test(cases, names_and_hints);
    tcase_add_loop_test(cases, damaged_spki, 0, 5);
    tcase_add_loop_test(cases, rsa_numbers, 0, ARRAY_LEN(rsa_cases));
    tcase_add_test(cases, ecdsa_encodings);
    tcase_add_test(cases, junk_is_not_raw);
    tcase_add_loop_test(cases, damaged_signatures, 0, 5);
    tcase_add_test(cases, ed25519ph_rfc8032);
    tcase_add_loop_test(cases, digests_decide_alike, 0, ARRAY_LEN(scheme_cases));
    tcase_add_test(cases, ed25519ph_digests);
    tcase_add_loop_test(cases, ed25519_weak_points, 0, 5);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
