/* SPDX-License-Identifier: Apache-2.0 */
/* What the cert_*.c files share; nobody else includes this. */
#ifndef PG_CRYPTO_CERT_INTERNAL_H
#define PG_CRYPTO_CERT_INTERNAL_H

#include <openssl/x509.h>

#include "crypto/cert.h"

struct cert {
    unsigned int refs;
    X509 *x509;
    uint8_t *der; /* owned; the spans below borrow from it */
    size_t der_len;
    struct span spki;
    struct span extensions; /* the list's content; empty when there is none */
    struct pubkey *key;     /* owned; NULL when of another type */
    char *subject;
    char *serial;
    char fingerprint[65];
    int64_t not_before, not_after;
    bool is_ca;
    struct cert_san *sans; /* owned */
    size_t san_count, san_capacity;
    char *fulcio[CERT_EXTENSIONS];
};

/* One Extension (RFC 5280 section 4.1). */
struct cert_extension_item {
    struct span oid; /* content of the OBJECT IDENTIFIER */
    bool critical;
    struct span value; /* content of the OCTET STRING */
    struct span whole;
};
/* The next of a reader over extensions. */
bool cert_next_extension(struct reader *reader, struct cert_extension_item *ret) MUST_CHECK;

/* Fill sans and fulcio from the extensions (cert_names.c). */
bool cert_read_names(struct cert *cert, struct error *err) MUST_CHECK;

#endif
