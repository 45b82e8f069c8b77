/* SPDX-License-Identifier: Apache-2.0 */
/* Sigstore bundles 0.1 to 0.3 (sigstore.md 2; FORMATS.md). Parsing only: nothing here is verified. */
#ifndef PG_VERIFIER_BUNDLE_H
#define PG_VERIFIER_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "crypto/digest.h"
#include "verifier/dsse.h"
#include "verifier/keep.h"
#include "verifier/logentry.h"

enum bundle_version { BUNDLE_V01 = 1, BUNDLE_V02, BUNDLE_V03 };

struct bundle {
    enum bundle_version version;
    bool has_key;              /* publicKey{hint}: a hint only */
    struct span hint;
    struct span certificate;   /* DER of the leaf; empty when signed by a key */
    struct span chain[LIMIT_CHAIN_CERTIFICATES]; /* what stood behind it (0.1, 0.2); never used to build a path */
    size_t chain_count;

    struct log_entry *entries; /* kept */
    size_t entry_count;
    struct span timestamps[LIMIT_BUNDLE_TIMESTAMPS]; /* DER TimeStampResp */
    size_t timestamp_count;

    bool is_dsse;
    struct dsse dsse;
    struct digest message_digest; /* messageSignature; DIGEST_NONE when the bundle names none */
    struct span message_signature;
};

/* Strict proto3 JSON: unknown or repeated members, other versions and empty chains are refused. */
bool bundle_parse(struct keep *keep, struct span bytes, struct bundle *ret, struct error *err) MUST_CHECK;

#endif
