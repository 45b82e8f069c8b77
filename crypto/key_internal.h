/* SPDX-License-Identifier: Apache-2.0 */
/* What key.c and key_verify.c share; nobody else includes this. */
#ifndef PG_CRYPTO_KEY_INTERNAL_H
#define PG_CRYPTO_KEY_INTERNAL_H

#include <openssl/evp.h>

#include "crypto/key.h"

enum { KEY_ED25519_BYTES = 32, KEY_ED25519_SIGNATURE_BYTES = 64 };

struct pubkey {
    enum key_type type;
    EVP_PKEY *pkey;
    size_t field_bytes;              /* EC: bytes of one coordinate; RSA: bytes of the modulus */
    uint8_t ed25519[KEY_ED25519_BYTES];
    char name[24];
    char fingerprint[KEY_FINGERPRINT_BYTES];
    char *hint;                      /* owned */
    uint8_t *spki;                   /* owned */
    size_t spki_len;
};

#endif
