/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of transparency logs: signed notes (C2SP signed-note.md, tlog-checkpoint.md; sigstore.md 3.6). */
#ifndef PG_CRYPTO_NOTE_H
#define PG_CRYPTO_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"
#include "crypto/merkle.h"

enum { NOTE_KEY_ID_BYTES = 4, NOTE_MAX_SIGNATURES = 32, NOTE_MAX_BYTES = 64 * 1024 };

struct note_signature {
    struct span name;                   /* borrows from the note */
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    uint8_t bytes[1024];
    size_t len;
};

struct checkpoint {
    struct span text;                   /* what is signed: up to and with its last line feed; borrows */
    struct span origin;                 /* first line; borrows */
    uint64_t size;
    struct merkle_hash root;
    struct note_signature *signatures;  /* owned */
    size_t signature_count;
};

/* Parses; verifies nothing. `note` must outlive ret. MALFORMED, LIMIT. Free with checkpoint_done. */
bool checkpoint_parse(struct span note, struct checkpoint *ret, struct error *err) MUST_CHECK;
void checkpoint_done(struct checkpoint *checkpoint); /* zeroes it; also for CLEANUP */

/* Rekor v1's origin: ends in " - <digits>" (a tree id). Anything else is verified by the v2 rules. */
bool checkpoint_is_rekor_v1(const struct checkpoint *checkpoint);

/*
 * v1: every signature line is the log's (key id = first bytes of SHA-256(SPKI)) and verifies.
 * v2: origin and the signer's name are `host`; the line with (host, key id) verifies; other lines are not looked at.
 * Errors: BAD_SIGNATURE when the log's signature does not verify, WRONG_KEY when there is no line by this key or the
 * origin is another log's.
 */
bool checkpoint_verify_v1(const struct checkpoint *checkpoint, const struct pubkey *key, struct error *err) MUST_CHECK;
bool checkpoint_verify_v2(const struct checkpoint *checkpoint, const char *host, const struct pubkey *key,
                          struct error *err) MUST_CHECK;

#endif
