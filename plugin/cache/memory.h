/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positive verdicts in the resident engine's memory: the entries of cache.h byte for byte, found by digest and
 * reference under the fingerprint of the rules in force. At most MEMORY_PLACES; within a set of ways the one that was
 * used longest ago gives way. A zeroed struct is empty.
 */
#ifndef PG_PLUGIN_CACHE_MEMORY_H
#define PG_PLUGIN_CACHE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/span.h"
#include "plugin/cache/cache.h"

enum {
    MEMORY_SETS = 1024,
    MEMORY_WAYS = 4,
    MEMORY_PLACES = MEMORY_SETS * MEMORY_WAYS, /* about 1 KiB each: more images than a node runs, 4 MiB */
};

struct memory_place {
    uint8_t *bytes; /* owned; NULL = free */
    size_t len;
    uint64_t key;
    uint64_t used;
};

struct memory {
    struct memory_place *places; /* made at the first verdict */
    uint64_t clock;
    uint64_t mark; /* of the stamp on disk; 0 = there was none */
};

/* Keeps a copy of a sealed entry (entry_write) unless it is of another fingerprint or no longer counts. */
bool memory_put(struct memory *memory, const char *fingerprint, struct span entry);
/* As cache_lookup, CACHE_FRESH, under this fingerprint. reference: NULL = the request's own. */
bool memory_find(struct memory *memory, const char *fingerprint, const struct request *request, const char *reference,
                 struct response *ret, struct cache_times *ret_times);
/* Forgets everything when the stamp on disk is gone or another one: `pullguard cache clear` is for all copies. */
void memory_follow(struct memory *memory, const char *root);
void memory_clear(struct memory *memory); /* also when the rules change, and at the end */

#endif
