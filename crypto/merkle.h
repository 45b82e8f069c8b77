/* SPDX-License-Identifier: Apache-2.0 */
/* Merkle trees of transparency logs (RFC 6962 section 2.1; RFC 9162 section 2.1.3.2 for the walk). SHA-256 only. */
#ifndef PG_CRYPTO_MERKLE_H
#define PG_CRYPTO_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

enum { MERKLE_HASH_BYTES = 32 };

struct merkle_hash {
    uint8_t bytes[MERKLE_HASH_BYTES];
};

bool merkle_leaf(struct span entry, struct merkle_hash *ret) MUST_CHECK; /* SHA-256(00 || entry) */
bool merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *ret) MUST_CHECK;
bool merkle_hash_eq(const struct merkle_hash *a, const struct merkle_hash *b);
/* A hash from bytes that must be 32. */
bool merkle_hash_of(struct span bytes, struct merkle_hash *ret) MUST_CHECK;

/*
 * Is the leaf number `index` of a tree of `size` leaves with this root? `path`: the proof's hashes, leaf upwards.
 * NO_LOG_ENTRY when not (index beyond the size, too many or too few hashes, another root).
 */
bool merkle_verify_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
                             const struct merkle_hash *path, size_t path_count, const struct merkle_hash *root,
                             struct error *err) MUST_CHECK;

#endif
