/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3161 time-stamps (sigstore.md 3.8). */
#ifndef PG_CRYPTO_TIMESTAMP_H
#define PG_CRYPTO_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "crypto/window.h"

enum { TIMESTAMP_MAX_BYTES = 64 * 1024 };

struct timestamp_authority {
    struct cert *leaf;         /* the authority's own certificate; NULL: the token must bring it */
    struct cert_pool pool;
    struct time_window window;
};

/*
 * Is `response` (DER TimeStampResp, status granted) a time-stamp over exactly these bytes by one of the authorities,
 * whose chain is valid at the time it states? Returns that time in milliseconds and the authority's index.
 * Errors: NO_TIMESTAMP (with the reason in words), MALFORMED.
 */
bool timestamp_verify(struct span response, struct span signed_bytes, const struct timestamp_authority *authorities,
                      size_t count, size_t *ret_authority, int64_t *ret_time_ms, struct error *err) MUST_CHECK;

#endif
