/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a decision or an operation ended as it did. The names are stable: they stand in journals, audit
 * records, metrics and tests. Append only; never renumber (the numbers travel between hook and engine).
 */
#ifndef PG_BASE_REASON_H
#define PG_BASE_REASON_H

enum reason {
    REASON_INTERNAL = 0,          /* a defect or an unexpected state; also "nobody said why" */
    REASON_OK = 1,                /* the only reason that goes with allow, besides the four "let through" ones below */
    REASON_NO_SIGNATURE = 2,      /* nothing that could be a signature was found */
    REASON_BAD_SIGNATURE = 3,     /* a signature is there and is broken (encoding, or its named key says no) */
    REASON_WRONG_KEY = 4,         /* well-formed signatures, none by a key of the authority */
    REASON_WRONG_IDENTITY = 5,    /* keyless: certificate fine, identity or issuer not the wanted one */
    REASON_ANNOTATION_MISMATCH = 6,
    REASON_NO_ATTESTATION = 7,
    REASON_ATTESTATION_CONDITION = 8,
    REASON_EXPIRED = 9,           /* a key, certificate, trust root or signature is outside its time */
    REASON_REVOKED = 10,
    REASON_FETCH_FAILED = 11,     /* the registry did not give a usable answer; not the same as "absent" */
    REASON_TIMEOUT = 12,
    REASON_POLICY_ERROR = 13,     /* settings, policy, key or trust root could not be loaded */
    REASON_NO_MATCH = 14,         /* no policy matches this image */
    REASON_STATIC_FAIL = 15,      /* a policy says fail for this image */
    REASON_MALFORMED = 16,        /* bytes that do not follow their format */
    REASON_LIMIT = 17,            /* more or larger than base/limits.h permits */
    REASON_DIGEST_MISMATCH = 18,  /* bytes that are not what their digest or size says */
    REASON_UNSUPPORTED = 19,      /* well-formed, but an algorithm, version or kind that is not handled */
    REASON_UNTRUSTED_FILE = 20,   /* a file that decides is writable by others or has the wrong owner */
    REASON_SANDBOX = 21,          /* the sandbox could not be set up */
    REASON_BAD_REQUEST = 22,      /* the runtime or the user asked for something malformed */
    REASON_UNAVAILABLE = 23,      /* the engine cannot be reached or died */
    REASON_NO_LOG_ENTRY = 24,     /* a transparency log entry is wanted and none verifies */
    REASON_NO_TIMESTAMP = 25,     /* a signed timestamp is wanted and none verifies */
    REASON_UNTRUSTED_CHAIN = 26,  /* a certificate that does not lead to a configured authority, or lacks its SCT */
    REASON_THRESHOLD = 27,        /* fewer distinct signers than the policy wants */
    REASON_IDENTITY_MISMATCH = 28,/* the signed docker-reference is not this image's */
    REASON_NOT_FOUND = 29,        /* the image (or file) itself is not there */
    REASON_UNAUTHORIZED = 30,     /* the registry refused our credentials */
    REASON_WARN_MODE = 31,        /* let through: a policy in warn mode failed */
    REASON_NO_MATCH_ALLOWED = 32, /* let through: no policy matches and the settings say so */
    REASON_STATIC_PASS = 33,      /* let through: a policy says pass for this image */
    REASON_BREAKGLASS = 34,       /* let through: an administrator's break-glass file is in force */
    REASON_IO = 35,               /* a local file operation failed */
    REASON_COLLECTED = 36,        /* evidence was gathered as asked; nothing was decided */
    REASON_COUNT
};

/* The stable lower-case name; "internal" for a number outside the enumeration. Never NULL. */
const char *reason_name(enum reason reason);

#endif
