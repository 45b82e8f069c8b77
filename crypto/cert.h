/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509 certificates: one certificate's facts, and chains. Nothing is taken from the system: no default store, no
 * default time, no revocation look-ups; the caller names anchors, intermediates, purpose and time each time.
 */
#ifndef PG_CRYPTO_CERT_H
#define PG_CRYPTO_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"

struct cert; /* immutable after parsing; counted; one thread */

/* DER, nothing behind it. MALFORMED, LIMIT. An unusual key is no error here: cert_key() is NULL then. */
bool cert_parse_der(struct span der, struct cert **ret, struct error *err) MUST_CHECK;
/* The first CERTIFICATE block of a PEM text that may hold more (the legacy certificate annotation: the first counts).
 */
bool cert_parse_pem_first(struct span pem, struct cert **ret, struct error *err) MUST_CHECK;
struct cert *cert_ref(struct cert *cert);
void cert_free(struct cert *cert);
void cert_freep(struct cert **cert);

struct certs {
    struct cert **items; /* owned */
    size_t count, capacity;
};
/* All CERTIFICATE blocks, at least one, at most LIMIT_CHAIN_CERTIFICATES; text between them is ignored. */
bool certs_parse_pem(struct span pem, struct certs *ret, struct error *err) MUST_CHECK;
/* Takes ownership of cert, also on failure. */
bool certs_add(struct certs *certs, struct cert *cert, struct error *err) MUST_CHECK;
void certs_done(struct certs *certs); /* zeroes it; also for CLEANUP */

/* All borrowed; they live with the certificate. */
struct span cert_der(const struct cert *cert);
const struct pubkey *cert_key(const struct cert *cert); /* NULL: a key type that we do not verify with */
struct span cert_spki(const struct cert *cert);         /* SubjectPublicKeyInfo DER as it stands in the certificate */
const char *cert_subject(const struct cert *cert);      /* RFC 2253 text, clean for messages */
const char *cert_serial(const struct cert *cert);       /* lower-case hex without leading zeros */
const char *cert_fingerprint(const struct cert *cert);  /* SHA-256 of the DER, hex */
int64_t cert_not_before(const struct cert *cert);       /* seconds */
int64_t cert_not_after(const struct cert *cert);
bool cert_valid_at(const struct cert *cert, int64_t at); /* both ends belong to it */
bool cert_is_ca(const struct cert *cert);
bool cert_eq(const struct cert *a, const struct cert *b);

/* Subject alternative names (sigstore.md 3.3). */
enum cert_san_kind { CERT_SAN_NONE = 0, CERT_SAN_EMAIL, CERT_SAN_URI, CERT_SAN_DNS, CERT_SAN_IP, CERT_SAN_OTHER };
struct cert_san {
    enum cert_san_kind kind; /* OTHER: Fulcio's user name (1.3.6.1.4.1.57264.1.7) only */
    char *text;
};
size_t cert_san_count(const struct cert *cert);
const struct cert_san *cert_san(const struct cert *cert, size_t index);
/* Bundles: the first URI, else the first email, else the OtherName is the identity. NULL when there is none. */
const struct cert_san *cert_identity(const struct cert *cert);

/*
 * Fulcio's extensions 1.3.6.1.4.1.57264.1.<number>, decoded (.1 to .6 raw, .8 and up DER UTF8String).
 * NULL when absent. A certificate whose extension does not decode, holds control characters or stands twice, or
 * whose two issuer extensions differ, does not parse at all.
 */
enum { CERT_EXTENSIONS = 32 };
const char *cert_extension(const struct cert *cert, size_t number);
const char *cert_issuer(const struct cert *cert); /* .8, else .1; NULL when absent */

enum cert_purpose {
    CERT_PURPOSE_ANY,          /* no extended key usage needed */
    CERT_PURPOSE_CODE_SIGNING, /* leaf must have it; a CA with extended key usages must not exclude it */
    CERT_PURPOSE_UNRESTRICTED, /* code signing, but a leaf without extended key usages, or with any, serves as well */
    CERT_PURPOSE_TIME_STAMPING,/* leaf: critical and nothing else; CAs without the extension, or with it or any */
};

struct cert_pool {
    struct cert *const *anchors;       /* trusted as they are, root or not */
    size_t anchor_count;
    struct cert *const *intermediates; /* help only */
    size_t intermediate_count;
};

/*
 * Does the leaf lead to an anchor, with every certificate valid at `at` (hybrid model) and for this purpose?
 * The leaf must not be a CA. ret_issuer (may be NULL) gets a new reference to the certificate that issued the leaf.
 * Errors: UNTRUSTED_CHAIN, EXPIRED (only the time is wrong), INTERNAL.
 */
bool cert_verify_chain(const struct cert *leaf, const struct cert_pool *pool, enum cert_purpose purpose, int64_t at,
                       struct cert **ret_issuer, struct error *err) MUST_CHECK;

#endif
