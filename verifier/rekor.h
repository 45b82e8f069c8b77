/* SPDX-License-Identifier: Apache-2.0 */
/* Is a transparency log entry about this very signature, and is it in the log? (sigstore.md 3.5 to 3.7) */
#ifndef PG_VERIFIER_REKOR_H
#define PG_VERIFIER_REKOR_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "verifier/keep.h"
#include "verifier/logentry.h"
#include "verifier/trustroot.h"

/* Our own view of what was signed, against which entries are held. */
struct rekor_subject {
    struct span message;     /* payload, or DSSE's PAE; empty when only digest is known */
    const struct digest *digest; /* of the message when it is not here (NULL otherwise) */
    bool is_dsse;
    bool is_legacy; /* then envelope is the stored blob, whose hash dsse and intoto entries of this layout carry */
    struct span payload;     /* DSSE: the decoded payload */
    struct span envelope;
    struct span signature;
    const struct cert *cert; /* the signer: one of cert and key */
    const struct pubkey *key;
};

/* Which of the two generations an entry belongs to, by its kind: hashedrekord 0.0.2 is Rekor v2's only one. */
bool rekor_entry_is_v2(const struct log_entry *entry);

/*
 * Rekor v1: does canonicalizedBody (hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.1 and 0.0.2) say what we know: digest,
 * signature, certificate or key? NO_LOG_ENTRY when it is about something else, UNSUPPORTED, MALFORMED.
 */
bool rekor_check_body(struct keep *keep, const struct log_entry *entry, const struct rekor_subject *subject,
                      struct error *err) MUST_CHECK;

/* Rekor v2: the entry as the log must have stored it, rebuilt from our own facts, in canonical form; appended to ret.
 */
bool rekor_rebuild_v2(const struct rekor_subject *subject, struct buf *ret, struct error *err) MUST_CHECK;

#endif
