/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle.h"

#include <string.h>

#include "base/limits.h"
#include "crypto/digest.h"

/* RFC 6962 section 2.1: one byte tells leaves and nodes apart, so that neither can be passed off as the other. */
static const uint8_t LEAF_PREFIX[] = {0x00};
static const uint8_t NODE_PREFIX[] = {0x01};

static bool hash_parts(const struct span *parts, size_t count, struct merkle_hash *ret)
{
    struct digest digest;

    if (!digest_compute_parts(DIGEST_SHA256, parts, count, &digest))
        return false;
    memcpy(ret->bytes, digest.bytes, sizeof(ret->bytes));
    return true;
}

bool merkle_leaf(struct span entry, struct merkle_hash *ret)
{
    const struct span parts[] = {span_of(LEAF_PREFIX, 1), entry};

    return hash_parts(parts, ARRAY_LEN(parts), ret);
}

bool merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *ret)
{
    const struct span parts[] = {span_of(NODE_PREFIX, 1), span_of(left->bytes, MERKLE_HASH_BYTES),
                                 span_of(right->bytes, MERKLE_HASH_BYTES)};

    return hash_parts(parts, ARRAY_LEN(parts), ret);
}

bool merkle_hash_eq(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return span_eq(span_of(a->bytes, MERKLE_HASH_BYTES), span_of(b->bytes, MERKLE_HASH_BYTES));
}

bool merkle_hash_of(struct span bytes, struct merkle_hash *ret)
{
    if (bytes.len != MERKLE_HASH_BYTES)
        return false;
    memcpy(ret->bytes, bytes.ptr, MERKLE_HASH_BYTES);
    return true;
}

/* RFC 9162 section 2.1.3.2, step 4: climbs from the leaf; `last` is the index of the level's last node. */
static bool climb(uint64_t index, uint64_t last, const struct merkle_hash *path, size_t path_count,
                  struct merkle_hash *hash, struct error *err)
{
    for (size_t i = 0; i < path_count; i++) {
        bool done;

        if (last == 0)
            return error_set(err, REASON_NO_LOG_ENTRY, "inclusion proof has %zu hashes, more than the tree has levels",
                             path_count);
        if ((index & 1) == 1 || index == last) {
            done = merkle_node(&path[i], hash, hash);
            while ((index & 1) == 0 && index != 0) {
                index >>= 1;
                last >>= 1;
            }
        } else {
            done = merkle_node(hash, &path[i], hash);
        }
        if (!done)
            return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
        index >>= 1;
        last >>= 1;
    }
    if (last != 0)
        return error_set(err, REASON_NO_LOG_ENTRY, "inclusion proof has %zu hashes, fewer than the tree has levels",
                         path_count);
    return true;
}

bool merkle_verify_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
                             const struct merkle_hash *path, size_t path_count, const struct merkle_hash *root,
                             struct error *err)
{
    struct merkle_hash hash = *leaf;

    if (index >= size)
        return error_set(err, REASON_NO_LOG_ENTRY, "entry %llu is not in a log of %llu entries",
                         (unsigned long long)index, (unsigned long long)size);
    if (path_count > LIMIT_PROOF_HASHES)
        return error_set(err, REASON_LIMIT, "inclusion proof of %zu hashes; want at most %d", path_count,
                         (int)LIMIT_PROOF_HASHES);
    if (!climb(index, size - 1, path, path_count, &hash, err))
        return false;
    if (!merkle_hash_eq(&hash, root))
        return error_set(err, REASON_NO_LOG_ENTRY, "inclusion proof does not lead to the log's root hash");
    return true;
}
