/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures by public keys: which schemes count, what a signature may look like, and the check itself. */
#include <sodium.h>
#include <string.h>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/key_internal.h"
#include "crypto/openssl_cleanup.h"

/* Ecdsa-Sig-Value (RFC 3279 section 2.2.3): two positive integers, shortest form, nothing behind. */
static bool ecdsa_is_der(struct span sig, size_t field_bytes)
{
    struct span content;
    struct span r;
    struct span s;
    struct reader reader;

    if (!der_single(sig, DER_SEQUENCE, &content))
        return false;
    reader = reader_of(content);
    if (!der_expect_unsigned(&reader, &r) || !der_expect_unsigned(&reader, &s) || !reader_done(&reader))
        return false;
    return r.len > 0 && s.len > 0 && r.len <= field_bytes && s.len <= field_bytes;
}

/* Starts like DER: a whole SEQUENCE that begins with an INTEGER. Then it is DER, and if not well-formed, broken. */
static bool ecdsa_looks_like_der(struct span sig)
{
    struct reader outer = reader_of(sig);
    struct reader inner;
    struct der_item item;

    if (!der_next(&outer, &item) || item.tag != DER_SEQUENCE)
        return false;
    inner = reader_of(item.content);
    return der_next(&inner, &item) && item.tag == DER_INTEGER;
}

/* The DER form of an accepted encoding, in ret (initialised by the caller with room for it). */
static bool ecdsa_normalise(const struct pubkey *key, struct span sig, struct buf *ret, struct error *err)
{
    struct buf numbers CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    size_t half = key->field_bytes;

    if (ecdsa_is_der(sig, half)) {
        buf_span(ret, sig);
    } else if (sig.len == 2 * half && !ecdsa_looks_like_der(sig)) {
        der_put_unsigned(&numbers, span_cut(sig, 0, half));
        der_put_unsigned(&numbers, span_cut(sig, half, half));
        der_put(ret, DER_SEQUENCE, buf_as_span(&numbers));
    } else {
        return error_set(err, REASON_BAD_SIGNATURE,
                         "signature is neither DER with nothing behind it nor two numbers of "
                         "%zu bytes, as %s needs (found %zu bytes)",
                         half, key->name, sig.len);
    }
    return buf_ok(ret) && buf_ok(&numbers) ? true : error_oom(err);
}

static const EVP_MD *md_of(enum digest_alg hash)
{
    switch (hash) {
    case DIGEST_SHA256:
        return EVP_sha256();
    case DIGEST_SHA384:
        return EVP_sha384();
    case DIGEST_SHA512:
        return EVP_sha512();
    case DIGEST_NONE:
    case DIGEST_SHA224:
    default:
        return NULL;
    }
}

static bool wrong_key(const struct pubkey *key, struct error *err)
{
    return error_set(err, REASON_WRONG_KEY, "signature does not verify with the %s key %.16s", key->name,
                     key->fingerprint);
}

/* Which salt OpenSSL is to look for under PSS; NO_PSS for PKCS#1 v1.5, and for keys that are not RSA. */
enum { NO_PSS = 0 };

static int pss_salt(const struct sig_scheme *scheme)
{
    if (scheme->kind != SCHEME_EXACT || !scheme->rsa_pss)
        return NO_PSS;
    return scheme->any_salt ? RSA_PSS_SALTLEN_AUTO : RSA_PSS_SALTLEN_DIGEST;
}

/* One attempt with one digest (NULL = Ed25519's own). INTERNAL when the library cannot even begin. */
static bool verify_evp(const struct pubkey *key, const EVP_MD *md, int salt, struct span message, struct span sig,
                       struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_freep) = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL; /* owned by ctx */

    if (!ctx)
        return error_oom(err);
    if (EVP_DigestVerifyInit(ctx, &pkey_ctx, md, NULL, key->pkey) != 1)
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot verify with %s", key->name);
    /* RFC 8017 section 8.1: the usual parameters, MGF1 with the same hash. */
    if (salt != NO_PSS && (EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                           EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, salt) != 1))
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot verify RSA-PSS");
    if (EVP_DigestVerify(ctx, sig.ptr, sig.len, message.ptr, message.len) != 1)
        return wrong_key(key, err);
    return true;
}

static bool verify_ecdsa(const struct pubkey *key, const struct sig_scheme *scheme, struct span message,
                         struct span sig, struct error *err)
{
    struct buf der CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);
    enum digest_alg hash = scheme->hash;
    bool second_try = false;

    /* sigstore.md section 1.4: cosign 3 hashes by the size of the curve, cosign 1 and 2 always with SHA-256. */
    if (hash == DIGEST_NONE && scheme->kind == SCHEME_COSIGN_KEY) {
        hash = key->type == KEY_EC_P256 ? DIGEST_SHA256 : key->type == KEY_EC_P384 ? DIGEST_SHA384 : DIGEST_SHA512;
        second_try = hash != DIGEST_SHA256;
    }
    if (!md_of(hash))
        return error_set(err, REASON_UNSUPPORTED, "%s with hash %s is not supported", key->name, digest_alg_name(hash));
    if (!ecdsa_normalise(key, sig, &der, err))
        return false;
    if (verify_evp(key, md_of(hash), NO_PSS, message, buf_as_span(&der), err))
        return true;
    return second_try && err->reason == REASON_WRONG_KEY &&
           verify_evp(key, EVP_sha256(), NO_PSS, message, buf_as_span(&der), err);
}

static bool verify_rsa(const struct pubkey *key, const struct sig_scheme *scheme, struct span message, struct span sig,
                       struct error *err)
{
    enum digest_alg hash = scheme->hash;

    if (hash == DIGEST_NONE && scheme->kind == SCHEME_COSIGN_KEY)
        hash = DIGEST_SHA256;
    if (!md_of(hash))
        return error_set(err, REASON_UNSUPPORTED, "%s with hash %s is not supported", key->name, digest_alg_name(hash));
    if (sig.len != key->field_bytes)
        return error_set(err, REASON_BAD_SIGNATURE, "signature of %zu bytes; %s makes %zu", sig.len, key->name,
                         key->field_bytes);
    return verify_evp(key, md_of(hash), pss_salt(scheme), message, sig, err);
}

/*
 * RFC 8032 section 5.1, Ed25519ph with an empty context: OpenSSL has it only from 3.2, libsodium's multi-part API is
 * it. It needs no sodium_init(): that chooses fast paths and opens the random source, and neither is used here.
 */
static bool verify_ed25519ph(const struct pubkey *key, struct span message, struct span sig, struct error *err)
{
    crypto_sign_state state;
    uint8_t sig_copy[KEY_ED25519_SIGNATURE_BYTES]; /* libsodium 1.0.18 takes it without const */

    memcpy(sig_copy, sig.ptr, sizeof(sig_copy));
    if (crypto_sign_init(&state) != 0 || crypto_sign_update(&state, message.ptr, message.len) != 0)
        return error_set(err, REASON_INTERNAL, "libsodium cannot verify Ed25519ph");
    if (crypto_sign_final_verify(&state, sig_copy, key->ed25519) != 0)
        return wrong_key(key, err);
    return true;
}

static bool verify_ed25519(const struct pubkey *key, const struct sig_scheme *scheme, struct span message,
                           struct span sig, struct error *err)
{
    if (sig.len != KEY_ED25519_SIGNATURE_BYTES)
        return error_set(err, REASON_BAD_SIGNATURE, "signature of %zu bytes; Ed25519 makes %d", sig.len,
                         (int)KEY_ED25519_SIGNATURE_BYTES);
    if (scheme->kind == SCHEME_EXACT) {
        if (scheme->hash == DIGEST_NONE)
            return verify_evp(key, NULL, NO_PSS, message, sig, err);
        if (scheme->hash == DIGEST_SHA512)
            return verify_ed25519ph(key, message, sig, err);
        return error_set(err, REASON_UNSUPPORTED, "Ed25519 with hash %s does not exist", digest_alg_name(scheme->hash));
    }
    return verify_ed25519ph(key, message, sig, err) ||
           (err->reason == REASON_WRONG_KEY && verify_evp(key, NULL, NO_PSS, message, sig, err));
}

bool pubkey_verify(const struct pubkey *key, const struct sig_scheme *scheme, struct span message, struct span sig,
                   struct error *err)
{
    if (sig.len == 0 || sig.len > LIMIT_SIGNATURE_BYTES)
        return error_set(err, REASON_BAD_SIGNATURE, "signature of %zu bytes; want 1 to %d", sig.len,
                         (int)LIMIT_SIGNATURE_BYTES);
    if (scheme->kind != SCHEME_COSIGN_KEY && scheme->kind != SCHEME_EXACT)
        return error_set(err, REASON_UNSUPPORTED, "unknown signature scheme");
    switch (key->type) {
    case KEY_EC_P256:
    case KEY_EC_P384:
    case KEY_EC_P521:
        return verify_ecdsa(key, scheme, message, sig, err);
    case KEY_RSA:
        return verify_rsa(key, scheme, message, sig, err);
    case KEY_ED25519:
        return verify_ed25519(key, scheme, message, sig, err);
    default:
        return error_set(err, REASON_INTERNAL, "public key of an unknown type");
    }
}

/* Is a signature over a digest of this algorithm one that the scheme counts? */
static bool hash_counts(const struct pubkey *key, const struct sig_scheme *scheme, enum digest_alg hash)
{
    if (!md_of(hash))
        return false;
    if (scheme->kind == SCHEME_EXACT)
        return hash == scheme->hash;
    if (key->type == KEY_ED25519)
        return hash == DIGEST_SHA512;
    if (scheme->hash != DIGEST_NONE)
        return hash == scheme->hash;
    return hash == DIGEST_SHA256 || (key->type == KEY_EC_P384 && hash == DIGEST_SHA384) ||
           (key->type == KEY_EC_P521 && hash == DIGEST_SHA512);
}

static bool verify_evp_digest(const struct pubkey *key, const struct digest *digest, int salt, struct span sig,
                              struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_freep) = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool rsa = key->type == KEY_RSA;

    if (!ctx || EVP_PKEY_verify_init(ctx) != 1 || EVP_PKEY_CTX_set_signature_md(ctx, md_of(digest->alg)) != 1 ||
        (rsa && EVP_PKEY_CTX_set_rsa_padding(ctx, salt != NO_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1) ||
        (salt != NO_PSS && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt) != 1))
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot verify with %s", key->name);
    if (EVP_PKEY_verify(ctx, sig.ptr, sig.len, digest->bytes, digest_size(digest->alg)) != 1)
        return wrong_key(key, err);
    return true;
}

/*
 * RFC 8032 section 5.1.7 for Ed25519ph, from the prehash on, which libsodium's own interface does not offer:
 * with h = SHA-512(dom2 || R || A || PH) mod L, S * B = R + h * A must hold. S is below L (else a signature could be
 * changed into another), and the point A was checked when the key was parsed.
 */
static bool verify_ed25519_prehash(const struct pubkey *key, const struct digest *digest, struct span sig,
                                   struct error *err)
{
    static const uint8_t dom2[] =
        "SigEd25519 no Ed25519 collisions\x01"; /* flag 1 = ph; then the context's length, 0 */
    const struct span parts[] = {span_of(dom2, sizeof(dom2)), span_cut(sig, 0, 32),
                                 span_of(key->ed25519, KEY_ED25519_BYTES),
                                 span_of(digest->bytes, digest_size(digest->alg))};
    uint8_t wide[64] = {0}, s[32], h[32], left[32], right[32], r[32];
    struct digest hram;

    memcpy(wide, sig.ptr + 32, 32);
    crypto_core_ed25519_scalar_reduce(s, wide);
    if (memcmp(s, wide, sizeof(s)) != 0)
        return wrong_key(key, err);
    if (!digest_compute_parts(DIGEST_SHA512, parts, ARRAY_LEN(parts), &hram))
        return error_set(err, REASON_INTERNAL, "SHA-512 is not available");
    crypto_core_ed25519_scalar_reduce(h, hram.bytes);
    if (crypto_scalarmult_ed25519_base_noclamp(left, s) != 0 ||
        crypto_scalarmult_ed25519_noclamp(right, h, key->ed25519) != 0 ||
        crypto_core_ed25519_sub(r, left, right) != 0 || memcmp(r, sig.ptr, sizeof(r)) != 0)
        return wrong_key(key, err);
    return true;
}

bool pubkey_verify_digest(const struct pubkey *key, const struct sig_scheme *scheme, const struct digest *digest,
                          struct span sig, struct error *err)
{
    struct buf der CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);

    if (!hash_counts(key, scheme, digest->alg))
        return error_set(err, REASON_UNSUPPORTED, "a signature of %s over a %s digest is not supported", key->name,
                         digest_alg_name(digest->alg));
    if (sig.len == 0 || sig.len > LIMIT_SIGNATURE_BYTES)
        return error_set(err, REASON_BAD_SIGNATURE, "signature of %zu bytes; want 1 to %d", sig.len,
                         (int)LIMIT_SIGNATURE_BYTES);
    if (key->type == KEY_RSA || key->type == KEY_ED25519) {
        size_t wanted = key->type == KEY_RSA ? key->field_bytes : KEY_ED25519_SIGNATURE_BYTES;

        if (sig.len != wanted)
            return error_set(err, REASON_BAD_SIGNATURE, "signature of %zu bytes; %s makes %zu", sig.len, key->name,
                             wanted);
        return key->type == KEY_RSA ? verify_evp_digest(key, digest, pss_salt(scheme), sig, err)
                                    : verify_ed25519_prehash(key, digest, sig, err);
    }
    return ecdsa_normalise(key, sig, &der, err) && verify_evp_digest(key, digest, NO_PSS, buf_as_span(&der), err);
}
