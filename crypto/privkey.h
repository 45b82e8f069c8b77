/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys: for making and importing cosign key files, and for the node key of the endorser. Never in the judge. */
#ifndef PG_CRYPTO_PRIVKEY_H
#define PG_CRYPTO_PRIVKEY_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"

struct privkey; /* immutable; the library wipes it when freed */

/* A new ECDSA P-256 key. */
bool privkey_generate(struct privkey **ret, struct error *err) MUST_CHECK;
/* PKCS#8 PrivateKeyInfo DER, unencrypted, nothing behind it. */
bool privkey_parse_pkcs8(struct span der, struct privkey **ret, struct error *err) MUST_CHECK;
/*
 * One unencrypted PEM block: PRIVATE KEY (PKCS#8), EC PRIVATE KEY (SEC1; an EC PARAMETERS block in front is skipped, as
 * openssl ecparam writes it) or RSA PRIVATE KEY (PKCS#1). Key types as for public keys.
 * A block that is encrypted says so (UNSUPPORTED).
 */
bool privkey_parse_pem(struct span pem, struct privkey **ret, struct error *err) MUST_CHECK;
void privkey_free(struct privkey *key);
void privkey_freep(struct privkey **key);

/* The public half; lives with the key. Its PEM text: pubkey_write_pem (crypto/key.h). */
const struct pubkey *privkey_public(const struct privkey *key);

/* Is it a PEM block of another kind than those: of a TPM's, an HSM's, or any other OpenSSL provider's? */
bool privkey_is_external(struct span pem);
/*
 * A private key that stays where it is: the PEM block (TSS2 PRIVATE KEY, PKCS#11 PROVIDER URI, ...) is handed to the
 * providers that OpenSSL's configuration activates (config(5ssl), OPENSSL_CONF), which this call loads. What they open
 * must not be shared over a fork. UNSUPPORTED when no provider takes it. The device signs nothing yet: whether its two
 * halves belong together is seen at each signature, which spares it one.
 */
bool privkey_open_external(struct span pem, struct privkey **ret, struct error *err) MUST_CHECK;

/* Appends PKCS#8 DER, or a PEM block PRIVATE KEY. Secrets: buf_wipe the buffer, write files with mode 0600. */
bool privkey_write_pkcs8(const struct privkey *key, struct buf *buf, struct error *err) MUST_CHECK;
bool privkey_write_pem(const struct privkey *key, struct buf *buf, struct error *err) MUST_CHECK;

/*
 * Appends the signature over message that every cosign verifies: ECDSA (any curve) over SHA-256 in DER,
 * RSA PKCS#1 v1.5 over SHA-256, pure Ed25519 (not of a device). A device's is verified before it is given.
 */
bool privkey_sign(const struct privkey *key, struct span message, struct buf *buf, struct error *err) MUST_CHECK;

#endif
