/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/der.h"
#include "crypto/key_internal.h"
#include "crypto/openssl_cleanup.h"
#include "crypto/pem.h"

enum { RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192, RSA_MAX_EXPONENT_BITS = 31 };

/* The key types there are: AlgorithmIdentifier (RFC 5480, RFC 3279, RFC 8410) as exact bytes. */
struct key_kind {
    enum key_type type;
    const char *name;
    size_t field_bytes;
    const char *group; /* OpenSSL's name of the curve */
    const uint8_t *algorithm; /* content of the AlgorithmIdentifier SEQUENCE */
    size_t algorithm_len;
};

#define OID_EC_PUBLIC_KEY 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
static const uint8_t ALGORITHM_P256[] = {OID_EC_PUBLIC_KEY, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t ALGORITHM_P384[] = {OID_EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t ALGORITHM_P521[] = {OID_EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};
static const uint8_t ALGORITHM_RSA[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
static const uint8_t ALGORITHM_ED25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};

static const struct key_kind kinds[] = {
    {KEY_EC_P256, "ECDSA P-256", 32, "P-256", ALGORITHM_P256, sizeof(ALGORITHM_P256)},
    {KEY_EC_P384, "ECDSA P-384", 48, "P-384", ALGORITHM_P384, sizeof(ALGORITHM_P384)},
    {KEY_EC_P521, "ECDSA P-521", 66, "P-521", ALGORITHM_P521, sizeof(ALGORITHM_P521)},
    {KEY_RSA, "RSA", 0, NULL, ALGORITHM_RSA, sizeof(ALGORITHM_RSA)},
    {KEY_ED25519, "Ed25519", KEY_ED25519_BYTES, NULL, ALGORITHM_ED25519, sizeof(ALGORITHM_ED25519)},
};

static const struct key_kind *kind_of(struct span algorithm)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (span_eq(algorithm, span_of(kinds[i].algorithm, kinds[i].algorithm_len)))
            return &kinds[i];
    return NULL;
}

/* SubjectPublicKeyInfo (RFC 5280 section 4.1): algorithm and key bits, nothing behind either. */
static bool read_spki(struct span der, struct span *ret_algorithm, struct span *ret_key)
{
    struct span content;
    struct span algorithm;
    struct span bits;
    struct reader reader;

    if (!der_single(der, DER_SEQUENCE, &content))
        return false;
    reader = reader_of(content);
    if (!der_expect(&reader, DER_SEQUENCE, &algorithm) || !der_expect(&reader, DER_BIT_STRING, &bits) ||
        !reader_done(&reader))
        return false;
    if (bits.len < 2 || bits.ptr[0] != 0) /* no unused bits */
        return false;
    *ret_algorithm = algorithm;
    *ret_key = span_cut(bits, 1, bits.len);
    return true;
}

/* The uncompressed form only (RFC 5480 section 2.2), as everybody writes it; OpenSSL checks that it is on the curve. */
static bool check_ec_point(const struct key_kind *kind, struct span point, struct error *err)
{
    if (point.len != 1 + 2 * kind->field_bytes || point.ptr[0] != 0x04)
        return error_set(err, REASON_MALFORMED, "%s public key is not an uncompressed point of %zu bytes", kind->name,
                         1 + 2 * kind->field_bytes);
    return true;
}

static size_t bit_length(struct span number)
{
    size_t bits = number.len * 8;

    for (uint8_t mask = 0x80; number.len > 0 && mask != 0 && (number.ptr[0] & mask) == 0; mask >>= 1)
        bits--;
    return bits;
}

struct rsa_numbers {
    struct span modulus, exponent;
};

/* RSAPublicKey (RFC 8017 appendix A.1.1). */
static bool read_rsa(struct span der, struct rsa_numbers *ret)
{
    struct span content;
    struct reader reader;

    if (!der_single(der, DER_SEQUENCE, &content))
        return false;
    reader = reader_of(content);
    return der_expect_unsigned(&reader, &ret->modulus) && der_expect_unsigned(&reader, &ret->exponent) &&
           reader_done(&reader);
}

/* A large exponent is a way to make verification slow. */
static bool check_rsa(struct span der, size_t *ret_bits, struct error *err)
{
    struct rsa_numbers numbers;
    size_t bits, exponent_bits;

    if (!read_rsa(der, &numbers))
        return error_set(err, REASON_MALFORMED, "RSA public key is not a DER sequence of modulus and exponent");
    bits = bit_length(numbers.modulus);
    exponent_bits = bit_length(numbers.exponent);
    if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS)
        return error_set(err, REASON_UNSUPPORTED, "RSA key of %zu bits; want %d to %d", bits, (int)RSA_MIN_BITS,
                         (int)RSA_MAX_BITS);
    if ((numbers.modulus.ptr[numbers.modulus.len - 1] & 1) == 0)
        return error_set(err, REASON_MALFORMED, "RSA key with an even modulus");
    if (exponent_bits < 2 || exponent_bits > RSA_MAX_EXPONENT_BITS ||
        (numbers.exponent.ptr[numbers.exponent.len - 1] & 1) == 0)
        return error_set(err, REASON_UNSUPPORTED, "RSA key with an exponent that is even, below 3 or above 2^31");
    *ret_bits = bits;
    return true;
}

/* libsodium's test refuses points off the curve, of small order or outside the main subgroup: with such a key one
 * signature can be made valid for many messages. */
static bool check_ed25519(struct span point, struct error *err)
{
    if (point.len != KEY_ED25519_BYTES || crypto_core_ed25519_is_valid_point(point.ptr) != 1)
        return error_set(err, REASON_MALFORMED, "Ed25519 public key is not a valid point");
    return true;
}

static bool fill_kind(struct pubkey *key, const struct key_kind *kind, struct span bits, struct error *err)
{
    size_t rsa_bits = 0;

    key->type = kind->type;
    key->field_bytes = kind->field_bytes;
    switch (kind->type) {
    case KEY_EC_P256:
    case KEY_EC_P384:
    case KEY_EC_P521:
        if (!check_ec_point(kind, bits, err))
            return false;
        break;
    case KEY_RSA:
        if (!check_rsa(bits, &rsa_bits, err))
            return false;
        key->field_bytes = (rsa_bits + 7) / 8;
        break;
    case KEY_ED25519:
        if (!check_ed25519(bits, err))
            return false;
        memcpy(key->ed25519, bits.ptr, KEY_ED25519_BYTES);
        break;
    default:
        return error_set(err, REASON_UNSUPPORTED, "public key of an unknown type");
    }
    if (rsa_bits > 0)
        (void)snprintf(key->name, sizeof(key->name), "RSA %zu", rsa_bits);
    else
        (void)snprintf(key->name, sizeof(key->name), "%s", kind->name);
    return true;
}

static bool fill_names(struct pubkey *key, struct error *err)
{
    struct digest digest;
    struct buf hint = BUF_INIT(64);

    if (!digest_compute(DIGEST_SHA256, span_of(key->spki, key->spki_len), &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    hex_encode(span_of(digest.bytes, digest_size(DIGEST_SHA256)), key->fingerprint);
    base64_encode(span_of(digest.bytes, digest_size(DIGEST_SHA256)), &hint);
    key->hint = buf_take(&hint);
    return key->hint ? true : error_oom(err);
}

/* OpenSSL's key from parts that were checked already: its generic decoder would cost ten times as much. */
static EVP_PKEY *make_pkey(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_freep) = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        return NULL;
    return pkey;
}

static EVP_PKEY *make_ec(const char *group, struct span point)
{
    char group_copy[16];
    uint8_t point_copy[1 + 2 * 66];
    OSSL_PARAM parameters[3];

    if (point.len > sizeof(point_copy))
        return NULL;
    (void)snprintf(group_copy, sizeof(group_copy), "%s", group);
    memcpy(point_copy, point.ptr, point.len);
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group_copy, 0);
    parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point_copy, point.len);
    parameters[2] = OSSL_PARAM_construct_end();
    return make_pkey("EC", parameters); /* refuses a point that is not on the curve */
}

static EVP_PKEY *make_rsa(struct span der)
{
    OSSL_PARAM_BLD *builder CLEANUP(param_bld_freep) = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters CLEANUP(param_freep) = NULL;
    BIGNUM *n CLEANUP(bn_freep) = NULL;
    BIGNUM *e CLEANUP(bn_freep) = NULL;
    struct rsa_numbers numbers;

    if (!builder || !read_rsa(der, &numbers))
        return NULL;
    n = BN_bin2bn(numbers.modulus.ptr, (int)numbers.modulus.len, NULL);
    e = BN_bin2bn(numbers.exponent.ptr, (int)numbers.exponent.len, NULL);
    if (!n || !e || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    parameters = OSSL_PARAM_BLD_to_param(builder);
    return parameters ? make_pkey("RSA", parameters) : NULL;
}

static bool decode_pkey(struct pubkey *key, const struct key_kind *kind, struct span bits, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;

    if (kind->type == KEY_RSA)
        key->pkey = make_rsa(bits);
    else if (kind->type == KEY_ED25519)
        key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bits.ptr, bits.len);
    else
        key->pkey = make_ec(kind->group, bits);
    if (!key->pkey)
        return error_set(err, REASON_MALFORMED, "%s public key is not valid (a point off its curve?)", key->name);
    return true;
}

bool pubkey_parse_der(struct span der, struct pubkey **ret, struct error *err)
{
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    const struct key_kind *kind;
    struct span algorithm;
    struct span bits;

    if (der.len > LIMIT_KEY_FILE_BYTES)
        return error_set(err, REASON_LIMIT, "public key of more than %d bytes", (int)LIMIT_KEY_FILE_BYTES);
    if (!read_spki(der, &algorithm, &bits))
        return error_set(err, REASON_MALFORMED, "public key is not one DER SubjectPublicKeyInfo");
    kind = kind_of(algorithm);
    if (!kind)
        return error_set(err, REASON_UNSUPPORTED,
                         "public key algorithm is not one of ECDSA P-256, P-384, P-521, RSA, Ed25519");
    key = mem_new(1, sizeof(*key));
    if (!key)
        return error_oom(err);
    key->spki = mem_dup(der.ptr, der.len);
    key->spki_len = der.len;
    if (!key->spki)
        return error_oom(err);
    if (!fill_kind(key, kind, bits, err) || !fill_names(key, err) || !decode_pkey(key, kind, bits, err))
        return false;
    *ret = TAKE_PTR(key);
    return true;
}

bool pubkey_parse_pem(struct span pem, struct pubkey **ret, struct error *err)
{
    struct buf der CLEANUP(buf_free) = BUF_INIT(0);

    if (!pem_single(pem, "PUBLIC KEY", LIMIT_KEY_FILE_BYTES, &der, err))
        return false;
    return pubkey_parse_der(buf_as_span(&der), ret, err);
}

void pubkey_free(struct pubkey *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    mem_free(key->spki);
    mem_free(key->hint);
    mem_free(key);
}

void pubkey_freep(struct pubkey **key)
{
    pubkey_free(*key);
    *key = NULL;
}

enum key_type pubkey_type(const struct pubkey *key)
{
    return key->type;
}

const char *pubkey_type_name(const struct pubkey *key)
{
    return key->name;
}

const char *pubkey_fingerprint(const struct pubkey *key)
{
    return key->fingerprint;
}

struct span pubkey_spki(const struct pubkey *key)
{
    return span_of(key->spki, key->spki_len);
}

/* Every accepted SPKI has exactly one encoding (checked when parsed), so equal bytes is equal key. */
bool pubkey_eq(const struct pubkey *a, const struct pubkey *b)
{
    return span_eq(pubkey_spki(a), pubkey_spki(b));
}

const char *pubkey_ecdsa_details(const struct pubkey *key, enum digest_alg *ret_hash)
{
    switch (key->type) {
    case KEY_EC_P256:
        *ret_hash = DIGEST_SHA256;
        return "PKIX_ECDSA_P256_SHA_256";
    case KEY_EC_P384:
        *ret_hash = DIGEST_SHA384;
        return "PKIX_ECDSA_P384_SHA_384";
    case KEY_EC_P521:
        *ret_hash = DIGEST_SHA512;
        return "PKIX_ECDSA_P521_SHA_512";
    case KEY_RSA:
    case KEY_ED25519:
        break;
    }
    return NULL;
}

const char *pubkey_hint(const struct pubkey *key)
{
    return key->hint;
}

void pubkey_write_pem(const struct pubkey *key, struct buf *buf)
{
    pem_write(buf, "PUBLIC KEY", pubkey_spki(key));
}
