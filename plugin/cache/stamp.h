/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that decide looked like: recorded by the engine, compared by everybody. */
#ifndef PG_PLUGIN_CACHE_STAMP_H
#define PG_PLUGIN_CACHE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "plugin/cache/cache.h"

enum { STAMP_MAX_BYTES = 8 * 1024 * 1024 }; /* twenty thousand policy files */

/* The stamp as a message. False, err UNSUPPORTED: something changed too recently to be told from a later change. */
bool stamp_make(const struct cache_source *source, struct buf *ret, struct error *err) MUST_CHECK;

struct stamp {
    struct span fingerprint; /* borrowed from the bytes */
    bool engine_only;
};

/* Reads a stamp and compares every file it names with the file system. False = does not hold any more. */
bool stamp_holds(struct span bytes, struct stamp *ret);

#endif
