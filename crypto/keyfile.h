/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cosign's private key files (sigstore.md section 4): PEM around JSON around PKCS#8, encrypted with scrypt and NaCl's
 * secretbox. What cosign writes is read and the other way round.
 */
#ifndef PG_CRYPTO_KEYFILE_H
#define PG_CRYPTO_KEYFILE_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/privkey.h"

/*
 * Reads ENCRYPTED SIGSTORE PRIVATE KEY or the older ENCRYPTED COSIGN PRIVATE KEY. scrypt's cost must be one that cosign
 * has used (N 32768, 65536 or 131072, r 8, p 1): a file cannot ask for gigabytes. Takes about 0.1 s and 64 MiB.
 * Errors: BAD_REQUEST for a wrong password (or damage: secretbox cannot tell), MALFORMED, UNSUPPORTED.
 */
bool keyfile_decrypt(struct span pem, struct span password, struct privkey **ret, struct error *err) MUST_CHECK;

/* Appends the PEM block ENCRYPTED SIGSTORE PRIVATE KEY; N 65536 as cosign. Write it with mode 0600. */
bool keyfile_encrypt(const struct privkey *key, struct span password, struct buf *buf, struct error *err) MUST_CHECK;

#endif
