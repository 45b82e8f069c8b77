/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was proven about one image, and what was found that proves nothing. The verifier writes these; policy reads
 * them. A claim is a set of facts; none of them is a permission. Spans and nodes borrow from the claims' own keep and
 * from the evidence: the claims must not outlive the evidence they were made from.
 */
#ifndef PG_VERIFIER_CLAIMS_H
#define PG_VERIFIER_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "base/span.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "verifier/keep.h"

enum claim_kind { CLAIM_SIGNATURE = 1, CLAIM_ATTESTATION = 2 };
enum claim_layout { LAYOUT_LEGACY = 1, LAYOUT_BUNDLE = 2 };
enum signer_kind { SIGNER_KEY = 1, SIGNER_CERTIFICATE = 2 };

/* Where a signature lies, for messages: host/repository, the tag or digest of the manifest, the layer. */
struct claim_place {
    char *repository;   /* host/path that was searched: authorities may search different ones */
    char *tag_prefix;   /* source[].tagPrefix it was searched with, "" for none */
    char *manifest;     /* digest of the manifest that holds it, or the tag */
    uint32_t layer;
};

struct claim_annotation {
    struct span key;
    struct span value;
    bool is_string;     /* a number 42 never equals the string "42" */
};

/* One proven time. `root` is the index of the trust root that proves it in the anchors given to the verifier. */
enum claim_time_kind { TIME_LOG = 1 /* SET over integratedTime */, TIME_TSA = 2 /* RFC 3161 */ };
struct claim_time {
    enum claim_time_kind kind;
    size_t root;
    int64_t at;
    char *authority;    /* log or TSA name, for messages and for counting distinct ones */
};

/* A verified transparency log entry for this signature. */
struct claim_log {
    size_t root;
    char *log;          /* log URL or origin */
    uint64_t index;
    bool set_verified;  /* Rekor v1 signed entry timestamp */
    bool proof_verified;/* inclusion proof and checkpoint */
    struct span set, body;       /* set_verified: what cosign prints as "Bundle" */
    int64_t integrated_time;
    uint8_t log_id[32];
};

/* The certificate's standing under one trust root. */
struct claim_chain {
    size_t root;
    bool chain_verified;/* at each verified time of this root (and only if there is one, or now_used) */
    bool now_used;      /* no verified time: the judge's time was used */
    bool *valid_at; /* per claim.times[i], whichever root proved it: is this root's chain valid then? NULL = no times */
    bool sct_verified;  /* by one of this root's CT logs */
    char *problem;      /* why chain_verified or sct_verified is false; NULL otherwise */
};

enum san_kind { SAN_NONE = 0, SAN_EMAIL, SAN_URI, SAN_DNS, SAN_IP, SAN_OTHER };

struct claim_certificate {
    enum san_kind san_kind;
    char *san;          /* the identity (sigstore.md 3.3) */
    char **sans;        /* legacy layout: any of them counts */
    enum san_kind *san_kinds; /* one per name in sans */
    size_t san_count;
    char *issuer;       /* OIDC issuer extension; NULL when absent */
    char *extensions[32]; /* 1.3.6.1.4.1.57264.1.<index>, decoded; NULL when absent */
    char *serial;       /* lower-case hex without leading zeros */
    char fingerprint[65];
    char key_fingerprint[KEY_FINGERPRINT_BYTES]; /* of the key in it: a revoked key stays revoked in any certificate */
    struct claim_chain *chains; /* one per trust root given */
    size_t chain_count;
    struct span der;
};

struct claim {
    enum claim_kind kind;
    enum claim_layout layout;
    struct claim_place place;

    enum signer_kind signer;
    char key_fingerprint[KEY_FINGERPRINT_BYTES]; /* SIGNER_KEY: the anchor key that verified it */
    enum digest_alg key_hash;                    /* SIGNER_KEY: the hash of the anchor it was tried with (NONE = any) */
    struct claim_certificate *certificate;       /* SIGNER_CERTIFICATE */

    char *docker_reference;                      /* legacy payload's identity; NULL for bundles */
    struct claim_annotation *annotations;        /* signed ones only */
    size_t annotation_count;
    char *predicate_type;                        /* bundles and attestations */
    const struct node *statement;                /* attestations: the whole in-toto statement */
    struct span payload;                         /* the signed bytes (simple-signing JSON or statement) */
    struct span signature;                       /* raw signature bytes, after base64 */
    struct span envelope; /* attestations and bundles: the blob as stored, for `download` and output */

    struct claim_time *times;
    size_t time_count;
    struct claim_log *logs;
    size_t log_count;
    char *log_problem;  /* why a log entry that came along does not count; NULL when none was refused */
    char *time_problem; /* likewise a timestamp */
};

/* Something that looked like a signature or attestation (or a look-up that failed) and gave no claim. */
struct finding {
    struct claim_place place;
    enum claim_kind kind;
    enum reason reason; /* BAD_SIGNATURE, WRONG_KEY, MALFORMED, DIGEST_MISMATCH, FETCH_FAILED, TIMEOUT, ... */
    char *text;         /* one clean sentence */
};

struct claims {
    struct claim *items;
    size_t count, capacity;
    struct finding *findings;
    size_t finding_count, finding_capacity;
    struct digest image;      /* the digest everything here is about */
    struct keep keep;         /* trees and blocks that statements, annotations and spans borrow from */
};

void claims_done(struct claims *claims);

#endif
