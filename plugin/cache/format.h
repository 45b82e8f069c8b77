/* SPDX-License-Identifier: Apache-2.0 */
/* A file of the cache: one message of base/wire.h, and a checksum against torn and decayed files (not against people).
 */
#ifndef PG_PLUGIN_CACHE_FORMAT_H
#define PG_PLUGIN_CACHE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "base/wire.h"

enum { FORMAT_STAMP = 40, FORMAT_VERDICT = 41 };

uint64_t format_hash(struct span bytes); /* FNV-1a, 64 bits */
void format_seal(struct buf *buf);       /* appends the checksum of everything in it */
bool format_open(struct span file, uint16_t type, struct wire_message *ret);
/*
 * Reads a file that nobody but root or ourselves can have written; false for anything else. At most buf's maximum.
 */
bool format_read(const char *path, struct buf *ret);

#endif
