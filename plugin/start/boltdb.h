/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one value from a bbolt database file (containerd keeps its metadata in one), without the library and without
 * the file lock that containerd holds. Pure: bytes in, span out; every offset is checked against the file.
 *
 * Format (bbolt version 2; little-endian on every platform containerd runs on): pages of the size the meta page names;
 * page = id u64, flags u16, count u16, overflow u32, then elements. Pages 0 and 1 are meta pages; the valid one with
 * the higher transaction id counts. Branch element = pos u32, key size u32, page u64. Leaf element = flags u32 (1 =
 * bucket), pos u32, key size u32, value size u32; pos counts from the element. Bucket value = root page u64, sequence
 * u64, and, when root is 0, one page inline behind it.
 */
#ifndef PG_PLUGIN_START_BOLTDB_H
#define PG_PLUGIN_START_BOLTDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

struct boltdb {
    struct span file;
    uint64_t page_bytes;
    uint64_t root;        /* root bucket's page */
    uint64_t
        transaction; /* of the meta page in use: unchanged after a look-up = the look-up saw one consistent state */
};

/* MALFORMED when neither meta page is valid. Borrows file. */
bool boltdb_open(struct span file, struct boltdb *ret, struct error *err) MUST_CHECK;

/*
 * The value under a path of bucket names and, last, a key. *ret is empty with ptr NULL when any part of the path is
 * absent (true is returned); false = MALFORMED.
 */
bool boltdb_get(const struct boltdb *db, const char *const *path, size_t path_len, struct span *ret,
                struct error *err) MUST_CHECK;

#endif
