/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate transparency: timestamps embedded in a certificate (RFC 6962 section 3; sigstore.md 3.4). */
#ifndef PG_CRYPTO_SCT_H
#define PG_CRYPTO_SCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "crypto/tlog.h"
#include "crypto/window.h"

enum { SCT_MAX = 16 };

struct sct_log {
    struct tlog_id id;
    const struct pubkey *key;
    struct time_window window;
};

/*
 * At least one embedded SCT is by a known log, within that log's window, and verifies over the precertificate.
 * issuer: the certificate that issued the leaf (from cert_verify_chain). ret_log (may be NULL): index of the log.
 * Errors: UNTRUSTED_CHAIN (no SCT, none by a known log, none verifies), MALFORMED (the extension).
 */
bool sct_verify(const struct cert *leaf, const struct cert *issuer, const struct sct_log *logs, size_t log_count,
                size_t *ret_log, struct error *err) MUST_CHECK;

/* The TBSCertificate without the SCT extension, appended to ret; the extension's inner list in ret_list (borrows from
 * the certificate). For sct_verify and its tests. UNTRUSTED_CHAIN when there is no such extension. */
bool sct_precertificate(struct span cert_der, struct buf *ret, struct span *ret_list, struct error *err) MUST_CHECK;

#endif
