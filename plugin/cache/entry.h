/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_CACHE_ENTRY_H
#define PG_PLUGIN_CACHE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "config.h"
#include "plugin/cache/cache.h"

#define CACHE_DIRECTORY PG_CACHEDIR "/verdicts"

enum { ENTRY_MAX_BYTES = 64 * 1024, CACHE_PATH_BYTES = 4096 };

/* Records of a verdict's file. */
enum {
    ENTRY_FINGERPRINT = 1,
    ENTRY_REFERENCE = 2,
    ENTRY_DECIDED = 3,
    ENTRY_EXPIRES = 4,
    ENTRY_RESPONSE = 5, /* a whole response message */
};

/* Spans borrow from the file's bytes. */
struct entry {
    struct span fingerprint, reference, response;
    struct cache_times times;
};

bool entry_path(const char *root, const char *digest, const char *reference, char *dst, size_t size);
bool entry_read(struct span file, struct entry *ret);
/* The file's bytes; the response as it is. */
void entry_write(struct buf *buf, const char *fingerprint, const char *reference, const struct cache_times *times,
                 const struct response *response);

/* Does the entry stand for this reference at this time? The fingerprint is the caller's to compare. */
bool entry_counts(const struct entry *entry, const char *reference, unsigned int look);
/* The kept response; false when it is not an allow for the request's digest. */
bool entry_response(const struct entry *entry, const struct request *request, struct response *ret);

#endif
