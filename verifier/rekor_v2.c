/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rekor v2 stores nothing that the bundle's canonicalizedBody could be trusted for: the leaf is rebuilt from our own
 * facts and that is proven (sigstore.md trap 8 and 3.7).
 */
#include "verifier/rekor.h"

#include <string.h>

static const char *digest_enum(enum digest_alg alg)
{
    switch (alg) {
    case DIGEST_SHA256:
        return "SHA2_256";
    case DIGEST_SHA384:
        return "SHA2_384";
    case DIGEST_SHA512:
        return "SHA2_512";
    case DIGEST_NONE:
    case DIGEST_SHA224:
    default:
        return NULL;
    }
}

static const char *rsa_details(const struct pubkey *key)
{
    static const char *const names[][2] = {
        {"RSA 2048", "PKIX_RSA_PKCS1V15_2048_SHA256"},
        {"RSA 3072", "PKIX_RSA_PKCS1V15_3072_SHA256"},
        {"RSA 4096", "PKIX_RSA_PKCS1V15_4096_SHA256"},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(pubkey_type_name(key), names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

/* keyDetails and the digest's algorithm go by the key (3.7); pure Ed25519 cannot be logged, so Ed25519 means Ed25519ph.
 */
static const char *key_details(const struct pubkey *key, enum digest_alg *ret_alg)
{
    *ret_alg = DIGEST_SHA256;
    switch (pubkey_type(key)) {
    case KEY_EC_P256:
        return "PKIX_ECDSA_P256_SHA_256";
    case KEY_EC_P384:
        *ret_alg = DIGEST_SHA384;
        return "PKIX_ECDSA_P384_SHA_384";
    case KEY_EC_P521:
        *ret_alg = DIGEST_SHA512;
        return "PKIX_ECDSA_P521_SHA_512";
    case KEY_ED25519:
        *ret_alg = DIGEST_SHA512;
        return "PKIX_ED25519_PH";
    case KEY_RSA:
        return rsa_details(key);
    default:
        return NULL;
    }
}

static bool message_digest(const struct rekor_subject *subject, enum digest_alg alg, struct digest *ret)
{
    if (subject->digest) {
        *ret = *subject->digest;
        return ret->alg == alg;
    }
    return digest_compute(alg, subject->message, ret);
}

bool rekor_rebuild_v2(const struct rekor_subject *subject, struct buf *ret, struct error *err)
{
    const struct pubkey *key = subject->cert ? cert_key(subject->cert) : subject->key;
    struct digest digest = {0};
    enum digest_alg alg;
    const char *details = key ? key_details(key, &alg) : NULL;

    if (!details)
        return error_set(err, REASON_UNSUPPORTED, "log entry: Rekor v2 has no entries by this kind of key");
    if (!message_digest(subject, alg, &digest))
        return error_set(err, REASON_UNSUPPORTED, "log entry: the digest for this kind of key is not known");
    /* RFC 8785: members sorted, no spaces; base64 needs no escapes. */
    buf_str(ret, "{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{\"hashedRekordV002\":{\"data\":{"
                 "\"algorithm\":\"");
    buf_str(ret, digest_enum(alg));
    buf_str(ret, "\",\"digest\":\"");
    base64_encode(span_of(digest.bytes, digest_size(alg)), ret);
    buf_str(ret, "\"},\"signature\":{\"content\":\"");
    base64_encode(subject->signature, ret);
    buf_str(ret, "\",\"verifier\":{\"keyDetails\":\"");
    buf_str(ret, details);
    buf_str(ret, subject->cert ? "\",\"x509Certificate\":{\"rawBytes\":\"" : "\",\"publicKey\":{\"rawBytes\":\"");
    base64_encode(subject->cert ? cert_der(subject->cert) : pubkey_spki(subject->key), ret);
    buf_str(ret, "\"}}}}}}");
    return buf_ok(ret) ? true : error_oom(err);
}
