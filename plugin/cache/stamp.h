/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that decide looked like: recorded by the engine, compared by everybody. */
#ifndef PG_PLUGIN_CACHE_STAMP_H
#define PG_PLUGIN_CACHE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

enum { STAMP_MAX_BYTES = 8 * 1024 * 1024 }; /* twenty thousand policy files */

/*
 * What a load reads: each file and directory, and what it looked like before it was read. {0} is empty.
 */
struct consulted {
    struct names paths;  /* absolute, root included; what is looked for in vain too */
    uint64_t *marks;     /* of each path */
    size_t capacity;
    int64_t began;       /* time_now() before the first of them was read */
};
/* To be called before the path is read. */
bool consulted_add(struct consulted *consulted, const char *path, struct error *err) MUST_CHECK;
void consulted_done(struct consulted *consulted);

/*
 * The stamp as a message, to be made when all is read. engine_only: logs beside the journal are on, hits go through
 * the engine. False, err UNSUPPORTED: something is not what it was when it was read (another file behind a symbolic
 * link, say), or changed too recently to be told from a later change.
 */
bool stamp_make(const struct consulted *consulted, const char *fingerprint, bool engine_only, struct buf *ret,
                struct error *err) MUST_CHECK;

struct stamp {
    struct span fingerprint; /* borrowed from the bytes */
    bool engine_only;
};

/* Reads a stamp and compares every file it names with the file system. False = does not hold any more. */
bool stamp_holds(struct span bytes, struct stamp *ret);

#endif
