/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys and the signatures that cosign and Sigstore make with them (sigstore.md 1.4). */
#ifndef PG_CRYPTO_KEY_H
#define PG_CRYPTO_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/digest.h"

enum key_type { KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_RSA, KEY_ED25519 };

struct pubkey; /* immutable after parsing; safe to share over fork */

enum { KEY_FINGERPRINT_BYTES = 65 }; /* 64 hex digits of SHA-256 over the SPKI DER, and NUL */

/*
 * One PEM block `PUBLIC KEY` (SPKI). Text around it, a second block, another label, RSA below 2048 or above 8192 bits
 * and other curves are refused. The error says when PEM lines look unindented or truncated.
 */
bool pubkey_parse_pem(struct span pem, struct pubkey **ret, struct error *err) MUST_CHECK;
/* SubjectPublicKeyInfo DER, nothing behind it. */
bool pubkey_parse_der(struct span der, struct pubkey **ret, struct error *err) MUST_CHECK;
void pubkey_free(struct pubkey *key);
void pubkey_freep(struct pubkey **key);

enum key_type pubkey_type(const struct pubkey *key);
const char *pubkey_type_name(const struct pubkey *key);       /* "ECDSA P-256", "RSA 3072", "Ed25519" */
const char *pubkey_fingerprint(const struct pubkey *key);     /* hex; lives with the key */
struct span pubkey_spki(const struct pubkey *key);            /* DER; lives with the key */
bool pubkey_eq(const struct pubkey *a, const struct pubkey *b);
/* Appends the PEM block PUBLIC KEY. */
void pubkey_write_pem(const struct pubkey *key, struct buf *buf);
/* Sigstore's name (PublicKeyDetails) for an ECDSA key and the hash of its curve; NULL for keys of other types. */
const char *pubkey_ecdsa_details(const struct pubkey *key, enum digest_alg *ret_hash);
/* base64(SHA-256(SPKI)): the hint cosign writes into bundles. */
const char *pubkey_hint(const struct pubkey *key);

/*
 * Which signature schemes count for a key.
 * COSIGN_KEY: what cosign 1 to 3 make with keys. hash NONE: P-256 SHA-256; P-384 SHA-384 or SHA-256; P-521 SHA-512 or
 * SHA-256; RSA PKCS#1 v1.5 SHA-256; Ed25519 pure or Ed25519ph. hash set: exactly that hash for ECDSA and RSA (pure or
 * ph Ed25519 as before).
 * EXACT: exactly `hash` (for Ed25519: NONE = pure, SHA512 = ph), `rsa_pss` chooses PSS, whose salt is as long as the
 * hash, or with `any_salt` of any length (RFC 8017 section 9.1: makers differ, and the length carries no security of
 * the verifier's).
 */
struct sig_scheme {
    enum { SCHEME_COSIGN_KEY, SCHEME_EXACT } kind;
    enum digest_alg hash;
    bool rsa_pss;
    bool any_salt;
};

/*
 * Verifies sig over message. ECDSA signatures are DER with nothing behind; raw r||s of equal halves when not DER at
 * all. false: reason BAD_SIGNATURE when sig cannot be a signature of this key type at all (encoding, length), WRONG_KEY
 * when it is well-formed and does not verify, UNSUPPORTED, INTERNAL.
 */
bool pubkey_verify(const struct pubkey *key, const struct sig_scheme *scheme, struct span message, struct span sig,
                   struct error *err) MUST_CHECK;

/*
 * The same where only the message's digest is known. ECDSA and RSA: digest->alg must be a hash that the scheme counts;
 * Ed25519: SHA-512, which is Ed25519ph (pure Ed25519 needs the message). Else UNSUPPORTED.
 */
bool pubkey_verify_digest(const struct pubkey *key, const struct sig_scheme *scheme, const struct digest *digest,
                          struct span sig, struct error *err) MUST_CHECK;

#endif
