/* SPDX-License-Identifier: Apache-2.0 */
/* DSSE envelopes (secure-systems-lab/dsse, envelope.md and protocol.md; sigstore.md 1.5 and 2.3). */
#ifndef PG_CRYPTO_DSSE_H
#define PG_CRYPTO_DSSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "crypto/key.h"

#define DSSE_TYPE_INTOTO "application/vnd.in-toto+json"

enum { DSSE_MAX_SIGNATURES = 32 };

enum dsse_rules {
    DSSE_BUNDLE, /* inside a Sigstore bundle: exactly one signature, proto3 JSON base64, no unknown members */
    DSSE_LEGACY, /* a blob of cosign's .att layout: 1 to DSSE_MAX_SIGNATURES, standard base64; other members are ignored */
};

struct dsse {
    struct buf payload;                           /* decoded; owned */
    struct buf signatures[DSSE_MAX_SIGNATURES];   /* decoded, none empty; owned */
    size_t signature_count;
};

/* A whole JSON document. payloadType must be DSSE_TYPE_INTOTO. MALFORMED, UNSUPPORTED (payloadType), LIMIT. */
bool dsse_parse(struct span json, enum dsse_rules rules, struct dsse *ret, struct error *err) MUST_CHECK;
/* The same from a node of a tree that was parsed already (a bundle's dsseEnvelope). Borrows nothing from it. */
bool dsse_parse_node(const struct node *envelope, enum dsse_rules rules, struct dsse *ret, struct error *err) MUST_CHECK;
void dsse_done(struct dsse *envelope); /* zeroes it; also for CLEANUP */

/* The bytes that are signed: "DSSEv1" SP len SP type SP len SP payload. ret gets a new buffer the caller frees. */
bool dsse_pae(const struct dsse *envelope, struct buf *ret, struct error *err) MUST_CHECK;
/* The same for any type and payload: appends. */
void dsse_pae_append(struct buf *buf, struct span type, struct span payload);

/* Does this key verify signature `index`? Reasons as pubkey_verify. Builds the PAE: for many tries, build it once. */
bool dsse_verify(const struct dsse *envelope, size_t index, const struct pubkey *key, const struct sig_scheme *scheme,
                 struct error *err) MUST_CHECK;

#endif
