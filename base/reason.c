/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reason.h"

#include <stddef.h>
#include <string.h>

static const char *const names[REASON_COUNT] = {
    [REASON_INTERNAL] = "internal",
    [REASON_OK] = "ok",
    [REASON_NO_SIGNATURE] = "no_signature",
    [REASON_BAD_SIGNATURE] = "bad_signature",
    [REASON_WRONG_KEY] = "wrong_key",
    [REASON_WRONG_IDENTITY] = "wrong_identity",
    [REASON_ANNOTATION_MISMATCH] = "annotation_mismatch",
    [REASON_NO_ATTESTATION] = "no_attestation",
    [REASON_ATTESTATION_CONDITION] = "attestation_condition",
    [REASON_EXPIRED] = "expired",
    [REASON_REVOKED] = "revoked",
    [REASON_FETCH_FAILED] = "fetch_failed",
    [REASON_TIMEOUT] = "timeout",
    [REASON_POLICY_ERROR] = "policy_error",
    [REASON_NO_MATCH] = "no_match",
    [REASON_STATIC_FAIL] = "static_fail",
    [REASON_MALFORMED] = "malformed",
    [REASON_LIMIT] = "limit",
    [REASON_DIGEST_MISMATCH] = "digest_mismatch",
    [REASON_UNSUPPORTED] = "unsupported",
    [REASON_UNTRUSTED_FILE] = "untrusted_file",
    [REASON_SANDBOX] = "sandbox",
    [REASON_BAD_REQUEST] = "bad_request",
    [REASON_UNAVAILABLE] = "unavailable",
    [REASON_NO_LOG_ENTRY] = "no_log_entry",
    [REASON_NO_TIMESTAMP] = "no_timestamp",
    [REASON_UNTRUSTED_CHAIN] = "untrusted_chain",
    [REASON_THRESHOLD] = "threshold",
    [REASON_IDENTITY_MISMATCH] = "identity_mismatch",
    [REASON_NOT_FOUND] = "not_found",
    [REASON_UNAUTHORIZED] = "unauthorized",
    [REASON_WARN_MODE] = "warn_mode",
    [REASON_NO_MATCH_ALLOWED] = "no_match_allowed",
    [REASON_STATIC_PASS] = "static_pass",
    [REASON_BREAKGLASS] = "breakglass",
    [REASON_IO] = "io",
    [REASON_COLLECTED] = "collected",
};

const char *reason_name(enum reason reason)
{
    if ((unsigned int)reason >= REASON_COUNT)
        return names[REASON_INTERNAL];
    return names[reason];
}
