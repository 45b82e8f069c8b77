/* SPDX-License-Identifier: Apache-2.0 */
/* One transparency log entry as a bundle or a legacy annotation carries it; nothing here is verified. */
#ifndef PG_VERIFIER_LOGENTRY_H
#define PG_VERIFIER_LOGENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/tree.h"
#include "verifier/keep.h"

enum { LOG_ID_BYTES = 32, LOG_HASH_BYTES = 32 };

struct log_entry {
    uint64_t index;            /* the entry's, global over a log's shards */
    uint8_t log_id[LOG_ID_BYTES];
    struct span kind, version; /* empty in legacy annotations */
    int64_t integrated_time;   /* 0 when there is none (Rekor v2) */
    struct span set;           /* signed entry timestamp; empty when absent */
    struct span body;          /* canonicalizedBody, decoded */

    bool has_proof;
    uint64_t proof_index;
    uint64_t tree_size;
    uint8_t root[LOG_HASH_BYTES];
    bool has_root;
    uint8_t hashes[LIMIT_PROOF_HASHES][LOG_HASH_BYTES];
    size_t hash_count;
    struct span checkpoint;    /* the signed note */
};

/* A member of a bundle's tlogEntries. */
bool logentry_parse_bundle(struct keep *keep, const struct node *node, struct log_entry *ret,
                           struct error *err) MUST_CHECK;
/* The annotation dev.sigstore.cosign/bundle (sigstore.md 1.2). */
bool logentry_parse_legacy(struct keep *keep, struct span json, struct log_entry *ret, struct error *err) MUST_CHECK;

#endif
