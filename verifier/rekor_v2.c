/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rekor v2 stores nothing that the bundle's canonicalizedBody could be trusted for: the leaf is rebuilt from our own
 * facts and that is proven (sigstore.md trap 8 and 3.7).
 */
#include "verifier/rekor.h"

#include <string.h>

#include "base/canonical.h"
#include "base/json_out.h"
#include "base/limits.h"

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
    const char *ecdsa = pubkey_ecdsa_details(key, ret_alg);

    if (ecdsa)
        return ecdsa;
    *ret_alg = pubkey_type(key) == KEY_ED25519 ? DIGEST_SHA512 : DIGEST_SHA256;
    return pubkey_type(key) == KEY_ED25519 ? "PKIX_ED25519_PH" : rsa_details(key);
}

static bool message_digest(const struct rekor_subject *subject, enum digest_alg alg, struct digest *ret)
{
    if (subject->digest) {
        *ret = *subject->digest;
        return ret->alg == alg;
    }
    return digest_compute(alg, subject->message, ret);
}

static void write_entry(const struct rekor_subject *subject, const struct digest *digest, const char *details,
                        struct buf *ret)
{
    struct json_out out = json_out_to(ret);

    json_open_map(&out, NULL);
    json_put_str(&out, "apiVersion", "0.0.2");
    json_put_str(&out, "kind", "hashedrekord");
    json_open_map(&out, "spec");
    json_open_map(&out, "hashedRekordV002");
    json_open_map(&out, "data");
    json_put_str(&out, "algorithm", digest_enum(digest->alg));
    json_put_base64(&out, "digest", span_of(digest->bytes, digest_size(digest->alg)));
    json_close_map(&out);
    json_open_map(&out, "signature");
    json_put_base64(&out, "content", subject->signature);
    json_open_map(&out, "verifier");
    json_put_str(&out, "keyDetails", details);
    json_open_map(&out, subject->cert ? "x509Certificate" : "publicKey");
    json_put_base64(&out, "rawBytes", subject->cert ? cert_der(subject->cert) : pubkey_spki(subject->key));
    for (int level = 0; level < 6; level++)
        json_close_map(&out);
}

/* The leaf that the log has hashed: RFC 8785 over the entry. */
bool rekor_rebuild_v2(const struct rekor_subject *subject, struct buf *ret, struct error *err)
{
    struct buf text CLEANUP(buf_free) = BUF_INIT(LIMIT_EVIDENCE_BYTES);
    const struct pubkey *key = subject->cert ? cert_key(subject->cert) : subject->key;
    struct digest digest = {0};
    enum digest_alg alg;
    const char *details = key ? key_details(key, &alg) : NULL;

    if (!details)
        return error_set(err, REASON_UNSUPPORTED, "log entry: Rekor v2 has no entries by this kind of key");
    if (!message_digest(subject, alg, &digest))
        return error_set(err, REASON_UNSUPPORTED, "log entry: the digest for this kind of key is not known");
    write_entry(subject, &digest, details, &text);
    if (!buf_ok(&text))
        return error_oom(err);
    return canonical_rewrite(buf_as_span(&text), ret, err);
}
