/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_CRYPTO_DIGEST_H
#define PG_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/span.h"

enum digest_alg { DIGEST_NONE = 0, DIGEST_SHA224, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

enum { DIGEST_MAX_BYTES = 64, DIGEST_TEXT_BYTES = 7 + 2 * DIGEST_MAX_BYTES + 1 };

struct digest {
    enum digest_alg alg; /* DIGEST_NONE = no digest; equal to nothing */
    uint8_t bytes[DIGEST_MAX_BYTES];
};

size_t digest_size(enum digest_alg alg); /* bytes; 0 for NONE */
const char *digest_alg_name(enum digest_alg alg); /* "sha256" */
/* Computes over the bytes received. false only when the library fails. */
bool digest_compute(enum digest_alg alg, struct span bytes, struct digest *ret) MUST_CHECK;
/* The same over several runs of bytes, one after the other. */
bool digest_compute_parts(enum digest_alg alg, const struct span *parts, size_t count, struct digest *ret) MUST_CHECK;
/* "sha256:<64 lower-case hex>" or sha384, sha512 (OCI image specification, descriptor.md, Digests). */
bool digest_parse(struct span text, struct digest *ret) MUST_CHECK;
/* The same form; returns dst. */
const char *digest_format(const struct digest *digest, char dst[DIGEST_TEXT_BYTES]);
/* Hex part only. */
const char *digest_hex(const struct digest *digest, char dst[2 * DIGEST_MAX_BYTES + 1]);
bool digest_eq(const struct digest *a, const struct digest *b);
/* Do these bytes hash to it? */
bool digest_matches(const struct digest *digest, struct span bytes);

#endif
