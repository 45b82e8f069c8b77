/* SPDX-License-Identifier: Apache-2.0 */
/* Rekor's proofs about one entry: the signed entry timestamp and the inclusion proof (sigstore.md 3.1, 3.5, 3.6). */
#ifndef PG_CRYPTO_TLOG_H
#define PG_CRYPTO_TLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"
#include "crypto/merkle.h"

enum { TLOG_ID_BYTES = 32 };

struct tlog_id {
    uint8_t bytes[TLOG_ID_BYTES];
};

/*
 * What logs sign with: the hash that goes by the key's curve, as the trust root's keyDetails name it
 * (PKIX_ECDSA_P384_SHA_384), or SHA-256, which the first logs took whatever their key.
 */
extern const struct sig_scheme tlog_scheme;

/* SHA-256(SPKI): Rekor v1 logs, CT logs, and v2 logs with ECDSA or RSA keys. */
bool tlog_id_of_key(const struct pubkey *key, struct tlog_id *ret) MUST_CHECK;
/* The id a v2 log of this host has with this key: Ed25519 SHA-256(host LF 01 key), else as above. */
bool tlog_id_of_v2(const char *host, const struct pubkey *key, struct tlog_id *ret) MUST_CHECK;
bool tlog_id_eq(const struct tlog_id *id, struct span bytes);
/* "https://log2025-1.rekor.sigstore.dev:443/x" -> "log2025-1.rekor.sigstore.dev": the origin has no port, nor brackets.
 */
bool tlog_host_of_url(struct span url, char *dst, size_t dst_size) MUST_CHECK;

/* What a SET signs. */
struct tlog_promise {
    struct span body;       /* canonicalizedBody, decoded */
    int64_t integrated_time;
    uint64_t log_index;     /* the entry's own (global) index */
    struct tlog_id log_id;
};

/* Rekor v1: the log's signature over the canonical JSON of these four. BAD_SIGNATURE or WRONG_KEY. */
bool tlog_verify_promise(const struct tlog_promise *promise, struct span set, const struct pubkey *key,
                         struct error *err) MUST_CHECK;

struct tlog_proof {
    uint64_t log_index;     /* inclusionProof.logIndex */
    uint64_t tree_size;     /* inclusionProof.treeSize; compared only where has_root (v1) */
    bool has_root;
    struct merkle_hash root;
    const struct merkle_hash *hashes;
    size_t hash_count;
    struct span checkpoint; /* the note's text */
};

/*
 * Is `leaf` (v1: canonicalizedBody; v2: the entry rebuilt from the bundle) in the log?
 * v1 rules (checkpoint_is_rekor_v1): index, size and root of the proof; the root must be the checkpoint's, and the
 * size. v2 rules: `host` is the log's; index is `entry_index`; size and root are the checkpoint's. ret_v2 (may be NULL)
 * tells which. Errors: NO_LOG_ENTRY, BAD_SIGNATURE, WRONG_KEY, MALFORMED.
 */
bool tlog_verify_inclusion(const struct tlog_proof *proof, uint64_t entry_index, struct span leaf, const char *host,
                           const struct pubkey *key, bool *ret_v2, struct error *err) MUST_CHECK;

#endif
